from services.seeder.settings import Settings
from shared.server import serve

serve("services.seeder.app:create_app", Settings(), name="seeder")

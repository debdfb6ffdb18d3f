from services.generator.settings import Settings
from shared.server import serve

serve("services.generator.app:create_app", Settings(), name="generator")

from services.collector.settings import Settings
from shared.server import serve

serve("services.collector.app:create_app", Settings(), name="collector")

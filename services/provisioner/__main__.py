"""``python -m services.provisioner`` serves the provisioner."""

from services.provisioner.settings import Settings
from shared.server import serve

if __name__ == "__main__":
    serve("services.provisioner.app:create_app", Settings(), name="provisioner")

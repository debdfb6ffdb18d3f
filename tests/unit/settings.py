"""The settings of each service."""

from __future__ import annotations

from services.collector.settings import Settings as CollectorSettings
from services.dashboard.settings import Settings as DashboardSettings
from services.generator.settings import Settings as GeneratorSettings
from services.ksql.settings import Settings as KsqlSettings
from services.provisioner.settings import Settings as ProvisionerSettings
from services.seeder.settings import Settings as SeederSettings
from shared.settings import ServiceSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "generator": GeneratorSettings,
    "collector": CollectorSettings,
    "seeder": SeederSettings,
    "provisioner": ProvisionerSettings,
    "dashboard": DashboardSettings,
    "ksql": KsqlSettings,
}

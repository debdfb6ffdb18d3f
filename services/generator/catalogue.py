"""Describes the profiles to people and programs, from their own definitions."""

from __future__ import annotations

import inspect

from services.generator.profiles import ALL
from services.generator.schemas import ProfileDescription, Profiles


def describe_profiles() -> Profiles:
    """Every profile with the JSON schema of its fields."""
    return Profiles(
        profiles=[
            ProfileDescription(
                kind=profile.model_fields["kind"].annotation.__args__[0],  # type: ignore[union-attr]
                summary=inspect.getdoc(profile) or "",
                parameters=profile.model_json_schema(),
            )
            for profile in ALL
        ]
    )

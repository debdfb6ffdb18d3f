"""Tests that start processes of ours, but no server of the stack."""

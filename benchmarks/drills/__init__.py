"""Drills: one fault at a time under load, then the proof that nothing was lost and nothing counted twice."""

"""What the pipeline's tables must hold, computed from the source topics alone and without the engine that is audited."""

"""The stages: each turns configuration and input artefacts into one artefact of the store."""

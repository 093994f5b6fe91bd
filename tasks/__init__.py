"""One Prefect task per pipeline step: fetch inputs, call the core, publish outputs."""

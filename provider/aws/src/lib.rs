//! SSM behind `quiesce::Guest`, EC2 behind `quiesce::Imager`.

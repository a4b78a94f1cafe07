//! Harness shared by the scenarios, the demo and the benchmark.

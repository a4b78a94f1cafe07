//! `lab`: the lab as a program.

fn main() {}

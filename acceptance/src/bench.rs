//! The benchmark: how many images come up clean, and how long writes are held, by method and layout.

mod record;
mod report;
mod round;
mod row;

pub use self::{
    record::{Hold, Journal, Line, Machine, Round},
    report::render,
    round::{Made, judge, make},
    row::{Method, Row, rows},
};

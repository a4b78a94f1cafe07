//! Order statistics of small samples: the figures that a benchmark row is allowed to print.

/// Values in ascending order; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// `None` where there is nothing to summarise. Values that are not finite are a bug of the caller's.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        assert!(
            sorted.iter().all(|value| value.is_finite()),
            "a sample holds numbers"
        );
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then_some(Self(sorted))
    }

    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            f64::midpoint(self.0[middle - 1], self.0[middle])
        }
    }

    /// By nearest rank: the smallest value that at least `percent` of the sample does not exceed. It was really
    /// measured, which an interpolated one was not.
    pub fn percentile(&self, percent: usize) -> f64 {
        assert!((1..=100).contains(&percent), "1 to 100");
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank - 1]
    }

    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// A length of time as a figure, in ms.
pub fn milliseconds(length: std::time::Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.iter().copied()).expect("not empty")
    }

    fn same(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} != {right}");
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Sample::new([]), None);
    }

    #[test]
    fn median_of_odd_and_even() {
        same(sample(&[9.0, 1.0, 5.0]).median(), 5.0);
        same(sample(&[4.0, 1.0, 3.0, 2.0]).median(), 2.5);
        same(sample(&[7.0]).median(), 7.0);
    }

    #[test]
    fn percentile_is_a_measured_value() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        same(sample(&hundred).percentile(95), 95.0);
        let thirty: Vec<f64> = (1..=30).map(f64::from).collect();
        same(sample(&thirty).percentile(95), 29.0);
        same(sample(&[3.0]).percentile(1), 3.0);
        same(sample(&thirty).percentile(100), sample(&thirty).max());
    }

    #[test]
    #[should_panic(expected = "holds numbers")]
    fn not_a_number_is_refused() {
        let _ = Sample::new([1.0, f64::NAN]);
    }
}

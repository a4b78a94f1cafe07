//! Images that nearly were the one: how they are listed where none is found.

use std::cmp::Reverse;

use consistent_aws::ec2::images::Image;

use crate::image::{preflight, soundness};

/// More of them help nobody.
const MOST: usize = 10;

/// An image, and everything that speaks against it.
#[derive(Debug)]
pub(in crate::data) struct PassedOver {
    pub(super) image: Image,
    pub(super) why: Vec<String>,
}

impl PassedOver {
    /// An image that this provider has nothing to do with.
    pub(super) fn unproven(image: Image) -> Self {
        let why = soundness::proof_problem(&image.tags).into_iter().collect();
        Self { image, why }
    }

    /// What sorts the nearest first: this provider's own, with fewer reasons, newer.
    pub(super) fn distance(&self) -> (bool, usize, Reverse<String>) {
        let foreign = !preflight::is_ours(&self.image);
        let made = Reverse(self.image.creation_date.clone());
        (foreign, self.why.len(), made)
    }

    pub(super) fn told(&self) -> String {
        format!("{}: {}", headline(&self.image), self.why.join(" "))
    }
}

/// `ami-... (its name, when it was made)`
pub(super) fn headline(image: &Image) -> String {
    format!("{} ({}, {})", image.id, image.name, image.creation_date)
}

/// One a line, as far as they are worth it.
pub(super) fn listed(images: impl ExactSizeIterator<Item = String>) -> String {
    let more = images.len().saturating_sub(MOST);
    let mut lines: Vec<String> = images.take(MOST).map(|it| format!("  - {it}")).collect();
    if more > 0 {
        lines.push(format!("  - and {more} more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let names = |count: usize| (0..count).map(|n| format!("ami-{n}"));
        assert_eq!(listed(names(2)), "  - ami-0\n  - ami-1");
        assert_eq!(listed(names(10)).lines().count(), 10);
        let long = listed(names(13));
        assert_eq!(long.lines().count(), 11);
        assert!(long.ends_with("\n  - and 3 more"));
    }
}

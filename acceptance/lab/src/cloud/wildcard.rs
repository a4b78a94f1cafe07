//! The `*` and `?` patterns that IAM policies and EC2 filters share.

/// Does `text` match `pattern`, where `*` stands for any run of characters and `?` for any one? Case matters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and up to where it has swallowed the text.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            p = at + 1;
            t = swallowed + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_backtrack_and_question_marks_take_one() {
        assert!(matches("*", ""));
        assert!(matches(
            "arn:aws:ec2:*::image/*",
            "arn:aws:ec2:eu-west-1::image/ami-1"
        ));
        assert!(matches("a*b*c", "axxbxbxc"));
        assert!(matches("Describe?mages", "DescribeImages"));
        assert!(!matches("a*b", "ac") && !matches("?", "") && !matches("a", "ab"));
    }
}

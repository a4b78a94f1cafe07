//! The two calls by which an image of held volumes comes about, and the choice between them.

use std::fmt;

/// How the volumes are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CaptureCall {
    /// One call makes the image and its snapshots, each volume's at an instant of its own within the hold.
    #[default]
    CreateImage,
    /// One call makes all snapshots, at one instant, and tells them in its answer: the shortest hold. The image is
    /// registered of them when they are completed and nothing is held any more.
    CreateSnapshots,
}

impl CaptureCall {
    pub const ALL: [Self; 2] = [Self::CreateImage, Self::CreateSnapshots];

    /// The call's name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateImage => "create_image",
            Self::CreateSnapshots => "create_snapshots",
        }
    }
}

impl fmt::Display for CaptureCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! `toy_gallery`: one attribute of every kind, stored as it is.

use std::collections::{BTreeMap, BTreeSet};

use tfplug::{
    Context, Create, Dynamic, Failure, Model, Number, Resource, Result, Update, Value, async_trait,
};

use crate::store::Store;

/// Everything that an attribute can be.
#[derive(Clone, Debug, Model)]
pub(crate) struct Gallery {
    /// The id.
    #[tf(required, force_replace)]
    id: String,
    /// A number of any size.
    #[tf(optional)]
    big: Option<Number>,
    /// A fraction.
    #[tf(optional)]
    ratio: Option<f64>,
    /// A switch.
    #[tf(optional)]
    on: Option<bool>,
    /// A set of texts.
    #[tf(optional)]
    tags: Option<BTreeSet<String>>,
    /// Lists in a list.
    #[tf(optional)]
    matrix: Option<Vec<Vec<i64>>>,
    /// A value of any type.
    #[tf(optional)]
    anything: Value<Dynamic>,
    /// A nested object.
    #[tf(optional)]
    frame: Value<Frame>,
    /// A list of nested objects.
    #[tf(optional)]
    frames: Option<Vec<Frame>>,
    /// A set of nested objects.
    #[tf(optional)]
    pegs: Option<BTreeSet<Peg>>,
    /// A map of nested objects.
    #[tf(optional)]
    rooms: Value<BTreeMap<String, Frame>>,
    /// At most one block.
    #[tf(block)]
    light: Option<Light>,
    /// Blocks in order.
    #[tf(block, max_items = 3)]
    wall: Vec<Wall>,
    /// Blocks in no order.
    #[tf(block)]
    nail: BTreeSet<Nail>,
    /// What the provider made of it.
    #[tf(computed)]
    summary: Value<Summary>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct Frame {
    /// How wide.
    #[tf(required)]
    width: Value<i64>,
    /// Given or computed.
    #[tf(optional, computed)]
    material: Value<String>,
    /// Hidden.
    #[tf(optional, sensitive)]
    price: Value<Number>,
}

/// A peg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Model)]
pub(crate) struct Peg {
    /// Where.
    #[tf(required)]
    position: Value<i64>,
    /// Computed for each.
    #[tf(computed)]
    serial: Value<String>,
}

/// The light.
#[derive(Clone, Debug, Model)]
pub(crate) struct Light {
    /// How bright.
    #[tf(optional, default = 60)]
    watts: i64,
}

/// A wall.
#[derive(Clone, Debug, Model)]
pub(crate) struct Wall {
    /// Its colour.
    #[tf(required)]
    colour: String,
    /// Blocks in blocks.
    #[tf(block)]
    window: Vec<Window>,
}

/// A window.
#[derive(Clone, Debug, Model)]
pub(crate) struct Window {
    /// How wide.
    #[tf(optional)]
    width: Option<i64>,
}

/// A nail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Model)]
pub(crate) struct Nail {
    /// How long.
    #[tf(required)]
    length: i64,
}

/// A summary.
#[derive(Clone, Debug, Model)]
pub(crate) struct Summary {
    /// How many frames there are.
    #[tf(computed)]
    frames: i64,
    /// The type of `anything`.
    #[tf(computed)]
    anything: Option<String>,
}

pub(crate) struct GalleryResource;

/// Fills in what was left to the provider.
fn hang(mut gallery: Gallery) -> Gallery {
    let finish = |frame: &mut Frame| {
        if frame.material.is_unknown() {
            frame.material = Value::from("oak");
        }
    };
    if let Value::Known(frame) = &mut gallery.frame {
        finish(frame);
    }
    gallery.frames.iter_mut().flatten().for_each(finish);
    if let Value::Known(rooms) = &mut gallery.rooms {
        rooms.values_mut().for_each(finish);
    }
    gallery.pegs = gallery
        .pegs
        .map(|pegs| pegs.into_iter().map(number).collect());
    let anything = gallery
        .anything
        .known()
        .map(|anything| anything.ty.to_json().to_string());
    gallery.summary = Value::Known(Summary {
        frames: i64::try_from(gallery.frames.iter().flatten().count()).unwrap_or(i64::MAX),
        anything,
    });
    gallery
}

fn number(mut peg: Peg) -> Peg {
    if peg.serial.is_unknown() {
        peg.serial = peg
            .position
            .clone()
            .map(|position| format!("peg-{position}"));
    }
    peg
}

#[async_trait]
impl Resource for GalleryResource {
    type Client = Store;
    type Model = Gallery;
    type Identity = ();
    const NAME: &'static str = "toy_gallery";

    async fn create(
        &self,
        cx: &Context<Store>,
        request: Create<Gallery>,
    ) -> Result<Gallery, Failure<Gallery>> {
        cx.client()?.put(&request.planned.id, &"gallery")?;
        Ok(hang(request.planned))
    }

    async fn read(&self, cx: &Context<Store>, state: Gallery) -> Result<Option<Gallery>> {
        let found: Option<String> = cx.client()?.get(&state.id)?;
        Ok(found.map(|_| state))
    }

    async fn update(
        &self,
        _cx: &Context<Store>,
        request: Update<Gallery>,
    ) -> Result<Gallery, Failure<Gallery>> {
        Ok(hang(request.planned))
    }

    async fn delete(&self, cx: &Context<Store>, state: Gallery) -> Result<(), Failure<Gallery>> {
        Ok(cx.client()?.remove(&state.id)?)
    }
}

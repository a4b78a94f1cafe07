//! As many labs as scenarios play at a time.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use acceptance::{Error, scene::Theatre};
use lab::{engines::Engine, host::Layout};

/// Those that no scenario plays in.
pub(crate) struct Theatres(Mutex<Vec<Theatre>>);

impl Theatres {
    pub(crate) fn new(count: usize) -> Self {
        Self(Mutex::new((1..=count).map(Theatre::new).collect()))
    }

    /// One to play in, with the stage of `engine` and `layout` if there is such a one, else with none, else with any.
    /// There is one for each thread that asks.
    pub(crate) fn lend(&self, engine: &Engine, layout: Layout) -> Lent<'_> {
        let mut free = self.free();
        let set = free.iter().position(|it| it.plays(engine, layout));
        let empty = || free.iter().position(|it| !it.is_set());
        let place = set.or_else(empty).unwrap_or_default();
        let theatre = Some(free.remove(place));
        Lent {
            theatre,
            theatres: self,
        }
    }

    /// Takes all stages down; the first error of several is the answer.
    pub(crate) async fn strike(&self) -> Result<(), Error> {
        let theatres = mem::take(&mut *self.free());
        let mut result = Ok(());
        for mut theatre in theatres {
            result = result.and(theatre.strike().await);
        }
        result
    }

    fn free(&self) -> MutexGuard<'_, Vec<Theatre>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A theatre in use; given back when this is dropped.
pub(crate) struct Lent<'a> {
    theatre: Option<Theatre>,
    theatres: &'a Theatres,
}

impl Deref for Lent<'_> {
    type Target = Theatre;

    fn deref(&self) -> &Theatre {
        self.theatre.as_ref().expect("lent until dropped")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Theatre {
        self.theatre.as_mut().expect("lent until dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.theatres.free().extend(self.theatre.take());
    }
}

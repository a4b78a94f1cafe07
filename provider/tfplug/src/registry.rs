//! What a provider offers, by name, with the types erased.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    DataSource, Function, List, Resource,
    dispatch::{
        DataSourceAdapter, DynDataSource, DynFunction, DynList, DynResource, FunctionAdapter,
        ListAdapter, ResourceAdapter,
    },
};

/// The resources, data sources, lists and functions of a provider whose client is `C`.
pub struct Registry<C> {
    pub(crate) resources: BTreeMap<&'static str, Arc<dyn DynResource<C>>>,
    pub(crate) data_sources: BTreeMap<&'static str, Arc<dyn DynDataSource<C>>>,
    /// By the name of what they list.
    pub(crate) lists: BTreeMap<&'static str, Arc<dyn DynList<C>>>,
    pub(crate) functions: BTreeMap<&'static str, Arc<dyn DynFunction>>,
    /// Names given twice.
    pub(crate) clashes: Vec<String>,
}

impl<C: Send + Sync + 'static> Registry<C> {
    pub fn resource<R: Resource<Client = C>>(&mut self, resource: R) -> &mut Self {
        let adapter = Arc::new(ResourceAdapter::new(resource));
        if self.resources.insert(R::NAME, adapter).is_some() {
            self.clashes.push(format!("resource {}", R::NAME));
        }
        self
    }

    pub fn data_source<D: DataSource<Client = C>>(&mut self, data_source: D) -> &mut Self {
        let adapter = Arc::new(DataSourceAdapter::new(data_source));
        if self.data_sources.insert(D::NAME, adapter).is_some() {
            self.clashes.push(format!("data source {}", D::NAME));
        }
        self
    }

    pub fn list<L>(&mut self, list: L) -> &mut Self
    where
        L: List<Resource: Resource<Client = C>>,
    {
        let adapter = Arc::new(ListAdapter::new(list));
        let name = L::Resource::NAME;
        if self.lists.insert(name, adapter).is_some() {
            self.clashes.push(format!("list {name}"));
        }
        self
    }

    pub fn function<F: Function>(&mut self, function: F) -> &mut Self {
        let adapter = Arc::new(FunctionAdapter::new(function));
        if self.functions.insert(F::NAME, adapter).is_some() {
            self.clashes.push(format!("function {}", F::NAME));
        }
        self
    }
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self {
            resources: BTreeMap::new(),
            data_sources: BTreeMap::new(),
            lists: BTreeMap::new(),
            functions: BTreeMap::new(),
            clashes: Vec::new(),
        }
    }
}

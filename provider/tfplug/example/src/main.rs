//! A whole provider: `disk_file` is a file on this machine.
use std::{fs, io, process::ExitCode};
use tfplug::{Context, Create, Diagnostic, Failure, Model, Provider, Registry, Resource};
use tfplug::{Result, async_trait};

/// A file on this machine.
#[derive(Model)]
struct File {
    /// Where it lies. Another path is another file.
    #[tf(required, force_replace)]
    path: String,
    /// What stands in it.
    #[tf(optional, default = "", force_replace)]
    content: String,
}

fn problem(error: io::Error) -> Diagnostic {
    Diagnostic::error("The file cannot be used", error.to_string()).at("path")
}

struct Disk;

#[async_trait]
impl Resource for Disk {
    type Client = Disk;
    type Model = File;
    type Identity = ();
    const NAME: &'static str = "disk_file";
    async fn create(&self, _: &Context<Disk>, new: Create<File>) -> Result<File, Failure<File>> {
        let file = new.planned;
        fs::write(&file.path, &file.content).map_err(problem)?;
        Ok(file)
    }
    async fn read(&self, _: &Context<Disk>, file: File) -> Result<Option<File>> {
        let content = fs::read_to_string(&file.path).ok();
        Ok(content.map(|content| File { content, ..file }))
    }
    async fn delete(&self, _: &Context<Disk>, file: File) -> Result<(), Failure<File>> {
        Ok(fs::remove_file(file.path).map_err(problem)?)
    }
}

#[async_trait]
impl Provider for Disk {
    type Config = ();
    type Client = Disk;
    const ADDRESS: &'static str = "registry.terraform.io/acme/disk";
    fn register(&self, registry: &mut Registry<Disk>) {
        registry.resource(Disk);
    }
    async fn configure(&self, _: &Context<Disk>, (): ()) -> Result<Disk> {
        Ok(Disk)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tfplug::serve(Disk).await
}

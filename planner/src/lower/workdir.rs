//! `WORKDIR PATH`: where later instructions are, and where the image starts.

use graph::file::{MakeDirectory, Owner};
use graph::{Edge, FileOp, Op};
use image::ImagePath;
use parser::ast::Workdir;

use super::Lowering;
use crate::error::Fault;
use crate::lint::workdir_relative_path;
use crate::paths;

impl Lowering<'_, '_> {
    /// The directory is made, owned by the user of the stage, except for `/`, which exists. An
    /// absolute path keeps its spelling in the config.
    pub(super) fn workdir(&mut self, workdir: &Workdir) -> Result<(), Fault> {
        let path = self.expand(&workdir.path)?;
        let already_set = std::mem::replace(&mut self.state.workdir_is_set, true);
        workdir_relative_path::check(&mut self.planner.linter, &path, already_set, self.current.span);
        let directory = paths::resolve(&self.state.config.config.working_dir, &path);
        self.state.config.config.working_dir.clone_from(&directory);
        let text = format!("WORKDIR {directory}");
        if directory == "/" {
            self.state.record(text);
            return Ok(());
        }
        let make = MakeDirectory {
            path: ImagePath::new(&directory),
            mode: 0o755,
            owner: self.state.user().map(|user| Owner(user.to_owned())),
        };
        let label = self.words_label();
        let inputs = vec![Edge::definition(self.state.rootfs)];
        let vertex = self.add_vertex(Op::File(FileOp::MakeDirectory(make)), inputs);
        self.advance(vertex, label);
        self.state.record_layer(text);
        Ok(())
    }
}

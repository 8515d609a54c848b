//! `MAINTAINER TEXT`

use parser::ast::Maintainer;

use super::Lowering;

impl Lowering<'_, '_> {
    pub(super) fn maintainer(&mut self, maintainer: &Maintainer) {
        let author = &maintainer.author.text;
        self.state.config.author = Some(author.clone()).filter(|author| !author.is_empty());
        self.state.record(format!("MAINTAINER {author}"));
    }
}

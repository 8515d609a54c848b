//! `USER USER[:GROUP]`

use parser::ast::User;

use super::Lowering;
use crate::error::Fault;

impl Lowering<'_, '_> {
    /// The name is looked up when something runs as the user, not here.
    pub(super) fn user(&mut self, user: &User) -> Result<(), Fault> {
        let user = self.expand(&user.user)?;
        self.state.record(format!("USER {user}"));
        self.state.config.config.user = user;
        Ok(())
    }
}

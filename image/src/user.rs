//! Users and groups of an image: `user[:group]` looked up in the text of its passwd and group files.
//!
//! The rules are those of Docker and runc. A part may be a name or a number. A number that the
//! files do not have is taken as it is; a name that they do not have is an error. Without a group,
//! the user's own group counts, and all groups that list the user are additional ones; a user who
//! is in no file gets group 0.

/// What a user was resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedUser {
    /// The user id.
    pub uid: u32,
    /// The primary group id.
    pub gid: u32,
    /// All groups of the user, the primary one among them, sorted; just that one if a group was
    /// named. (Without it, a set-group-id program could drop the group and evade what it denies.)
    pub additional_gids: Vec<u32>,
    /// The home directory, if the passwd file has the user.
    pub home: Option<String>,
    /// The name, if the passwd file has the user.
    pub name: Option<String>,
}

impl ResolvedUser {
    /// What `HOME` is for the user: `/` for one who has no home.
    pub fn home_or_root(&self) -> &str {
        self.home.as_deref().filter(|home| !home.is_empty()).unwrap_or("/")
    }
}

/// A user or group that an image does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The passwd file does not have the name.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    UserNotFound(String),
    /// The group file does not have the name.
    #[error("unable to find group {0}: no matching entries in group file")]
    GroupNotFound(String),
    /// A number that is no id.
    #[error("uids and gids must be in range 0-{MAX_ID}: {0}")]
    OutOfRange(String),
}

/// The largest id that Docker accepts.
const MAX_ID: u32 = i32::MAX as u32;

/// One line of a passwd file.
struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// One line of a group file.
struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Resolves `user[:group]`. The files are the bytes of `/etc/passwd` and `/etc/group`, if the image
/// has them; lines that are not of their form are passed over. A comment field in an older encoding
/// (`Müller` in Latin-1) costs nobody his entry: bytes that are not UTF-8 are replaced. An empty user is 0.
pub fn resolve(spec: &str, passwd: Option<&[u8]>, group: Option<&[u8]>) -> Result<ResolvedUser, UserError> {
    let passwd = String::from_utf8_lossy(passwd.unwrap_or_default());
    let group = String::from_utf8_lossy(group.unwrap_or_default());
    let (user_part, group_part) = match spec.split_once(':') {
        Some((user, group)) => (user, group),
        None => (spec, ""),
    };
    let user_part = if user_part.is_empty() { "0" } else { user_part };
    let mut user = resolve_user(user_part, &passwd)?;
    let groups = lines(&group).filter_map(group_entry);
    if !group_part.is_empty() {
        user.gid = resolve_group(group_part, groups)?;
    } else if let Some(name) = user.name.clone() {
        let lists_user = |entry: &GroupEntry<'_>| entry.members.split(',').any(|member| member == name);
        user.additional_gids = groups.filter(lists_user).map(|entry| entry.gid).collect();
    }
    user.additional_gids.push(user.gid);
    user.additional_gids.sort_unstable();
    user.additional_gids.dedup();
    Ok(user)
}

fn resolve_user(text: &str, passwd: &str) -> Result<ResolvedUser, UserError> {
    let number = text.parse::<u64>().ok();
    let is_it = |entry: &PasswdEntry<'_>| entry.name == text || number == Some(u64::from(entry.uid));
    if let Some(entry) = lines(passwd).filter_map(passwd_entry).find(is_it) {
        return Ok(ResolvedUser {
            uid: entry.uid,
            gid: entry.gid,
            additional_gids: Vec::new(),
            home: Some(entry.home.to_owned()),
            name: Some(entry.name.to_owned()),
        });
    }
    let number = number.ok_or_else(|| UserError::UserNotFound(text.to_owned()))?;
    Ok(ResolvedUser { uid: id(number)?, gid: 0, additional_gids: Vec::new(), home: None, name: None })
}

fn resolve_group<'a>(text: &str, mut groups: impl Iterator<Item = GroupEntry<'a>>) -> Result<u32, UserError> {
    let number = text.parse::<u64>().ok();
    let is_it = |entry: &GroupEntry<'_>| entry.name == text || number == Some(u64::from(entry.gid));
    match (groups.find(is_it), number) {
        (Some(entry), _) => Ok(entry.gid),
        (None, Some(number)) => id(number),
        (None, None) => Err(UserError::GroupNotFound(text.to_owned())),
    }
}

fn id(number: u64) -> Result<u32, UserError> {
    match u32::try_from(number) {
        Ok(id) if id <= MAX_ID => Ok(id),
        _ => Err(UserError::OutOfRange(number.to_string())),
    }
}

fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// `name:password:uid:gid:comment:home:shell`
fn passwd_entry(line: &str) -> Option<PasswdEntry<'_>> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1).unwrap_or_default();
    Some(PasswdEntry { name, uid, gid, home })
}

/// `name:password:gid:members`
fn group_entry(line: &str) -> Option<GroupEntry<'_>> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let gid = fields.nth(1)?.parse().ok()?;
    Some(GroupEntry { name, gid, members: fields.next().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::{ResolvedUser, UserError, resolve};

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\n\
        user:x:1000:1000::/home/user:/bin/sh\napp:x:1001:2001:app:/app:/bin/sh\n";
    const GROUP: &[u8] =
        b"root:x:0:\nwheel:x:10:root,user\nuser:x:1000:\nextra:x:3000:user,app\napp:x:2001:\n";

    fn resolved(spec: &str) -> Result<(u32, u32, Vec<u32>), UserError> {
        let user = resolve(spec, Some(PASSWD), Some(GROUP))?;
        Ok((user.uid, user.gid, user.additional_gids))
    }

    #[test]
    fn names_and_numbers_are_looked_up() {
        assert_eq!(resolved("root"), Ok((0, 0, vec![0, 10])));
        assert_eq!(resolved(""), Ok((0, 0, vec![0, 10])));
        assert_eq!(resolved("user"), Ok((1000, 1000, vec![10, 1000, 3000])));
        assert_eq!(resolved("1001"), Ok((1001, 2001, vec![2001, 3000])));
        assert_eq!(resolved("5"), Ok((5, 0, vec![0])));
    }

    #[test]
    fn a_group_replaces_the_users_own_ones() {
        assert_eq!(resolved("user:app"), Ok((1000, 2001, vec![2001])));
        assert_eq!(resolved("user:7"), Ok((1000, 7, vec![7])));
        assert_eq!(resolved("8:wheel"), Ok((8, 10, vec![10])));
        assert_eq!(resolved("user:"), Ok((1000, 1000, vec![10, 1000, 3000])));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            resolved("nobody").unwrap_err().to_string(),
            "unable to find user nobody: no matching entries in passwd file"
        );
        assert_eq!(resolved("user:none"), Err(UserError::GroupNotFound("none".to_owned())));
        assert_eq!(resolve("user", None, None), Err(UserError::UserNotFound("user".to_owned())));
        for number in ["2147483648", "4294967296", "99999999999"] {
            assert_eq!(resolved(number), Err(UserError::OutOfRange(number.to_owned())));
        }
    }

    #[test]
    fn a_line_need_not_be_utf8() {
        let user = resolve("old", Some(b"old:x:7:8:M\xfcller:/home/old:/bin/sh\n"), None).unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_deref()), (7, 8, Some("/home/old")));
    }

    #[test]
    fn an_image_without_files_has_numbers_only() {
        let user = resolve("12:34", None, None).unwrap();
        assert_eq!(
            user,
            ResolvedUser { uid: 12, gid: 34, additional_gids: vec![34], home: None, name: None }
        );
    }
}

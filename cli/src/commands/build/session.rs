//! What steps may use and never keep: `--secret` and `--ssh`.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use engine::{AgentSource, SecretSource, SecretValue};

use super::request::usage;
use crate::csv;
use crate::environment::Environment;
use crate::report::Failure;

/// Secrets by id. A file has to be there now; it is read when a step asks for it.
pub(in crate::commands) fn secrets(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, SecretSource>, Failure> {
    flags.iter().map(|flag| secret(flag, environment)).collect()
}

fn secret(flag: &str, environment: &Environment) -> Result<(String, SecretSource), Failure> {
    let (mut id, mut kind, mut file, mut variable) = (None, None, None, None);
    let pairs = csv::pairs(flag).map_err(|error| Failure::Usage(format!("invalid secret: {error}")))?;
    for (key, value) in pairs {
        match key.as_str() {
            "id" => id = Some(value),
            "type" => kind = Some(value),
            "src" | "source" => file = Some(value),
            "env" => variable = Some(value),
            _ => return usage(format!("unexpected key '{key}' in secret")),
        }
    }
    let Some(id) = id.filter(|id| !id.is_empty()) else { return usage("a secret needs an id") };
    let by_variable = match kind.as_deref() {
        Some("env") => true,
        Some("file") => false,
        Some(other) => return usage(format!("unsupported secret type {other:?}")),
        None => variable.is_some() || file.is_none() && environment.variable(&id).is_some(),
    };
    if by_variable {
        // `src` names a variable, too, when the type says that it is one.
        let name = variable.or(file).unwrap_or_else(|| id.clone());
        return match environment.variable(&name) {
            Some(value) => Ok((id, SecretSource::Value(SecretValue(value.as_bytes().to_vec())))),
            None => usage(format!("secret {id:?}: the environment variable {name} is not set")),
        };
    }
    let path = environment.absolute(Path::new(file.as_deref().unwrap_or(&id)));
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok((id, SecretSource::File(path))),
        Ok(_) => usage(format!("secret {id:?}: {} is not a file", path.display())),
        Err(error) => usage(format!("secret {id:?}: {}: {error}", path.display())),
    }
}

/// ssh agents by id. Sockets and keys have to be there now; keys are read when a step asks for them.
pub(in crate::commands) fn agents(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, AgentSource>, Failure> {
    flags.iter().map(|flag| agent(flag, environment)).collect()
}

fn agent(flag: &str, environment: &Environment) -> Result<(String, AgentSource), Failure> {
    let (id, paths) = match flag.split_once('=') {
        Some((id, paths)) => {
            (id, paths.split(',').map(|path| environment.absolute(Path::new(path))).collect())
        }
        None => (flag, Vec::from_iter(environment.ssh_agent())),
    };
    let mut keys = Vec::new();
    for path in &paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() && paths.len() == 1 => {
                return Ok((id.to_owned(), AgentSource::Socket(path.clone())));
            }
            Ok(metadata) if metadata.is_file() => keys.push(path.clone()),
            Ok(metadata) if metadata.file_type().is_socket() => {
                return usage(format!(
                    "ssh agent {id:?}: {}: only a single socket is allowed",
                    path.display()
                ));
            }
            Ok(_) => {
                return usage(format!("ssh agent {id:?}: {} is no socket and no key", path.display()));
            }
            Err(error) => return usage(format!("ssh agent {id:?}: {}: {error}", path.display())),
        }
    }
    if keys.is_empty() {
        return usage("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
    }
    Ok((id.to_owned(), AgentSource::Keys(keys)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_of(flag: &str) -> Result<(String, SecretSource), String> {
        secret(flag, &Environment::of_user(&[("TOKEN", "t"), ("x", "y")]))
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn secrets_come_from_variables_and_files() {
        let value =
            |id: &str, value: &str| Ok((id.to_owned(), SecretSource::Value(SecretValue(value.into()))));
        assert_eq!(secret_of("id=a,env=TOKEN"), value("a", "t"));
        assert_eq!(secret_of("id=TOKEN"), value("TOKEN", "t"));
        assert_eq!(secret_of("id=a,type=env,src=TOKEN"), value("a", "t"));
        let file = Ok(("passwd".to_owned(), SecretSource::File("/etc/passwd".into())));
        assert_eq!(secret_of("id=passwd,src=/etc/passwd"), file);
        assert_eq!(secret_of("id=passwd,type=file,source=/etc/passwd"), file);
    }

    #[test]
    fn mistakes_are_named_without_the_secret() {
        let mistakes = [
            "a",
            "env=TOKEN",
            "id=a,env=UNSET",
            "id=a,src=/no/such",
            "id=a,src=/etc",
            "id=a,mode=1",
            "id=a,type=b",
        ];
        let messages: Vec<String> = mistakes
            .iter()
            .map(|flag| format!("{flag}\n    {}", secret_of(flag).expect_err("a mistake")))
            .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        a
            invalid secret: invalid field 'a' must be a key=value pair
        env=TOKEN
            a secret needs an id
        id=a,env=UNSET
            secret "a": the environment variable UNSET is not set
        id=a,src=/no/such
            secret "a": /no/such: No such file or directory (os error 2)
        id=a,src=/etc
            secret "a": /etc is not a file
        id=a,mode=1
            unexpected key 'mode' in secret
        id=a,type=b
            unsupported secret type "b"
        "#);
    }

    #[test]
    fn an_agent_is_a_socket_or_keys() {
        let agent = |flag| agent(flag, &Environment::of_user(&[])).map_err(|failure| failure.to_string());
        insta::assert_snapshot!(agent("default").expect_err("there is none"), @"invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
        insta::assert_snapshot!(agent("a=/etc").expect_err("it is a directory"), @r#"ssh agent "a": /etc is no socket and no key"#);
        let keys = AgentSource::Keys(vec!["/etc/passwd".into(), "/etc/group".into()]);
        assert_eq!(agent("a=/etc/passwd,/etc/group"), Ok(("a".to_owned(), keys)));
        insta::assert_snapshot!(agent("a=/etc/passwd,/no/such").expect_err("it is not there"), @r#"ssh agent "a": /no/such: No such file or directory (os error 2)"#);
    }
}

//! Descriptions of devices, and what is made of them.

use std::fs;

use tempfile::TempDir;

use super::*;

const NULLS: &str = r#"
cdiVersion: "0.6.0"
kind: vendor.com/null
annotations:
  org.mobyproject.buildkit.device.class: nothing
containerEdits:
  env: [NULLS=1]
devices:
  - name: b
    containerEdits:
      deviceNodes:
        - {path: /dev/null-b, hostPath: /dev/null, fileMode: 0640, permissions: r, uid: 7}
  - name: a
    annotations: {org.mobyproject.buildkit.device.autoallow: "true"}
    containerEdits:
      env: [NULLS=2, WHICH=a=b]
      mounts: [{hostPath: /etc, containerPath: /of/host, options: [ro, rbind, nodev]}]
      additionalGids: [0, 44]
"#;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// The names of the devices that a name stands for.
fn names(registry: &Registry, name: &str) -> Vec<String> {
    registry.find(name).into_iter().map(|device| device.name.clone()).collect()
}

fn ask(directory: &TempDir, names: &[&str], grants: &DeviceGrants) -> Result<Found, String> {
    let required = |name: &&str| DeviceRequest { name: (*name).to_owned(), required: true };
    let requests: Vec<_> = names.iter().map(required).collect();
    find_in(&[directory.path().to_owned()], &requests, grants).map_err(|error| error.to_string())
}

/// A description in JSON with one device, `a.b/c=d`, that has these edits.
fn described(edits: &str) -> String {
    format!(r#"{{"cdiVersion":"1.0.0","kind":"a.b/c","devices":[{{"name":"d","containerEdits":{edits}}}]}}"#)
}

#[test]
fn names_stand_for_devices_as_in_buildkit() {
    let directory =
        directory(&[("nulls.yaml", NULLS), ("README", "no description"), ("x.json", &described("{}"))]);
    let (registry, unreadable) = Registry::read(&[directory.path().to_owned(), "/missing".into()]);
    assert!(unreadable.is_empty(), "{unreadable:?}");
    assert_eq!(names(&registry, "vendor.com/null=b"), ["vendor.com/null=b"]);
    assert_eq!(names(&registry, "vendor.com/null"), ["vendor.com/null=a"]);
    assert_eq!(names(&registry, "vendor.com/null=*"), ["vendor.com/null=a", "vendor.com/null=b"]);
    assert_eq!(names(&registry, "nothing"), ["vendor.com/null=a", "vendor.com/null=b"]);
    assert_eq!(names(&registry, "a.b/c"), ["a.b/c=d"]);
    for missing in ["vendor.com/null=c", "vendor.com", "", "nothing=a", "*"] {
        assert!(registry.find(missing).is_empty(), "{missing}");
    }
}

#[test]
fn a_device_changes_what_its_file_and_itself_say() {
    let directory = directory(&[("nulls.yml", NULLS)]);
    let found = ask(&directory, &["vendor.com/null=*", "nothing"], &DeviceGrants::All).unwrap();
    let variables = [("NULLS", "2"), ("WHICH", "a=b")];
    assert_eq!(found.edits.env, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(found.edits.additional_gids, [44]);
    let [mount] = &found.edits.mounts[..] else { panic!("{:?}", found.edits.mounts) };
    assert_eq!((mount.target.as_str(), mount.read_only, mount.recursive), ("/of/host", true, true));
    let [node] = &found.edits.nodes[..] else { panic!("{:?}", found.edits.nodes) };
    let device = node.for_process(1000, 1001);
    assert_eq!((device.numbers, device.mode, device.uid, device.gid), ((1, 3), 0o640, 7, 1001));
    assert_eq!((device.access.read, device.access.write), (true, false));
}

#[test]
fn numbers_that_are_said_need_no_node_on_the_host() {
    let node =
        r#"{"deviceNodes":[{"path":"/dev/x","hostPath":"/dev/missing","type":"c","major":1,"minor":5}]}"#;
    let directory = directory(&[("x.json", &described(node))]);
    let found = ask(&directory, &["a.b/c=d"], &DeviceGrants::All).unwrap();
    let device = found.edits.nodes[0].for_process(0, 0);
    assert_eq!((device.numbers, device.mode), ((1, 5), 0o666));
}

#[test]
fn devices_have_to_be_allowed() {
    let directory = directory(&[("nulls.yaml", NULLS), ("x.json", &described("{}"))]);
    let asked = |names: &[&str], grants| ask(&directory, names, &grants).map(|_| ());
    let named = |names: &[&str]| DeviceGrants::Named(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(asked(&["vendor.com/null=a"], named(&[])), Ok(()));
    assert_eq!(asked(&["vendor.com/null=*"], named(&["vendor.com/null=b"])), Ok(()));
    assert_eq!(asked(&["vendor.com/null=*"], named(&["nothing"])), Ok(()));
    assert_eq!(
        asked(&["vendor.com/null=b"], named(&["vendor.com/null=a", "missing"])),
        Err("device vendor.com/null=b is requested by the build but not allowed".to_owned())
    );
    assert_eq!(
        asked(&["vendor.com/null=*", "a.b/c"], named(&[])),
        Err("devices vendor.com/null=b, a.b/c=d are requested by the build but not allowed".to_owned())
    );
}

#[test]
fn a_device_that_is_not_there_is_told() {
    let directory = directory(&[("broken.json", "{")]);
    let error = ask(&directory, &["a.b/c=d"], &DeviceGrants::All).unwrap_err();
    assert!(error.starts_with(r#"required device "a.b/c=d" is not registered; cannot use the"#), "{error}");
    assert!(error.contains("broken.json: EOF"), "{error}");
    let request = DeviceRequest { name: "a.b/c".to_owned(), required: false };
    let found = find_in(&[directory.path().to_owned()], &[request], &DeviceGrants::All).unwrap();
    assert_eq!(found.edits, Edits::default());
    assert_eq!(found.warnings[1], r#"optional device "a.b/c" is not registered"#);
}

#[test]
fn what_cannot_be_given_is_named() {
    for (edits, message) in [
        (r#"{"hooks":[{"hookName":"createContainer","path":"/bin/hook"}]}"#, "needs hooks"),
        (r#"{"netDevices":[{"hostInterfaceName":"eth1","name":"eth0"}]}"#, "needs network devices"),
        (r#"{"intelRdt":{"closID":"x"}}"#, "needs a class of processor caches"),
        (r#"{"deviceNodes":[{"path":"/dev/x","type":"p"}]}"#, r#"a node of type "p""#),
        (r#"{"deviceNodes":[{"path":"/dev/null","type":"b"}]}"#, "is a device of the other kind"),
        (r#"{"deviceNodes":[{"path":"/dev/null","permissions":"x"}]}"#, "described with errors"),
        (r#"{"deviceNodes":[{"path":"/etc/null"}]}"#, "does not lie below /dev"),
        (r#"{"deviceNodes":[{"path":"/dev/../null"}]}"#, "does not lie below /dev"),
        (r#"{"deviceNodes":[{"path":"/dev/missing"}]}"#, "cannot be used: /dev/missing"),
        (
            r#"{"mounts":[{"hostPath":"/etc","containerPath":"/x","options":["noexec"]}]}"#,
            r#"option "noexec""#,
        ),
        (r#"{"mounts":[{"hostPath":"/etc","containerPath":"/x","type":"nfs"}]}"#, r#"type "nfs""#),
        (r#"{"mounts":[{"hostPath":"/etc","containerPath":"/"}]}"#, "no place for a mount"),
        (r#"{"mounts":[{"hostPath":"etc","containerPath":"/x"}]}"#, "is not absolute"),
        (r#"{"mounts":[{"hostPath":"/missing","containerPath":"/x"}]}"#, "cannot be used: /missing"),
        (r#"{"env":["NAME"]}"#, "is not NAME=VALUE"),
    ] {
        let directory = directory(&[("x.json", &described(edits))]);
        let error = ask(&directory, &["a.b/c=d"], &DeviceGrants::All).unwrap_err();
        assert!(error.starts_with("device a.b/c=d ") && error.contains(message), "{edits}: {error}");
    }
}

#[test]
fn descriptions_with_mistakes_are_left_out() {
    let other = described("{}").replace("a.b/c", "o.b/c");
    for (text, message) in [
        (described(r#"{"unknown":1}"#), "unknown field `unknown`"),
        (described("{}").replace("1.0.0", "2.0.0"), r#"version "2.0.0""#),
        (described("{}").replace("a.b/c", "abc"), r#"invalid kind "abc""#),
        (described("{}").replace(r#""d""#, r#""-""#), r#"invalid device name "-""#),
        (other.clone(), "describes o.b/c=d, too"),
    ] {
        let directory = directory(&[("a-other.json", &other), ("x.json", &text)]);
        let (registry, unreadable) = Registry::read(&[directory.path().to_owned()]);
        let [error] = &unreadable[..] else { panic!("{text}: {unreadable:?}") };
        assert!(error.to_string().contains("x.json") && error.to_string().contains(message), "{error}");
        let is_conflict = text == other;
        assert_eq!(registry.find("o.b/c=d").is_empty(), is_conflict, "{text}");
    }
}

#[test]
fn the_later_directory_wins() {
    let edits = |value| described(&format!(r#"{{"env":["WHERE={value}"]}}"#));
    let (first, second) = (directory(&[("x.json", &edits(1))]), directory(&[("y.json", &edits(2))]));
    let request = DeviceRequest { name: "a.b/c".to_owned(), required: true };
    let directories = [first.path().to_owned(), second.path().to_owned()];
    let found = find_in(&directories, &[request], &DeviceGrants::All).unwrap();
    assert_eq!(found.edits.env, [("WHERE".to_owned(), "2".to_owned())]);
}

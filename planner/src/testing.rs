//! Planning without a world: every name has a pin that is made of the name.

mod corpus;

use graph::name::{GitPin, HttpPin, ImageLocation, ImageName, ImagePin};
use graph::{Name, Pin, Pins};
use image::{DiffId, Digest, History, ImageConfig, Platform};
use parser::Dockerfile;

use crate::{Needs, PlanError, PlanOptions, Planned, Remark, plan};

/// A text parsed; a test has no business with one that is wrong.
pub(crate) fn parse(text: &str) -> Dockerfile {
    let parsed = parser::parse(text);
    let errors: Vec<_> = parsed.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    parsed.dockerfile
}

/// Options for a machine that is the same on every machine.
pub(crate) fn options() -> PlanOptions {
    PlanOptions::new("linux/amd64".parse().expect("a platform"))
}

/// Plans until the plan is ready, and tells what was asked for in each round.
pub(crate) fn plan_with_fake_pins(
    dockerfile: &Dockerfile,
    options: &PlanOptions,
) -> (Vec<Vec<Name>>, Result<Box<crate::Plan>, PlanError>) {
    let mut pins = Pins::default();
    let mut rounds = Vec::new();
    loop {
        match plan(dockerfile, options, &pins) {
            Ok(Planned::Ready(plan)) => return (rounds, Ok(plan)),
            Ok(Planned::Needs(Needs { names, .. })) => {
                assert!(rounds.len() < 4, "asked for {names:?} after {rounds:?}");
                pins.extend(names.iter().map(|name| (name.clone(), fake_pin(name))));
                rounds.push(names);
            }
            Err(error) => return (rounds, Err(error)),
        }
    }
}

/// What the lint rules find in a text: warnings, then notes.
pub(crate) fn remarks(text: &str, options: &PlanOptions) -> Vec<Remark> {
    match plan_with_fake_pins(&parse(text), options).1 {
        Ok(plan) => plan.warnings.into_iter().chain(plan.notes).collect(),
        Err(error) => error.warnings,
    }
}

fn fake_pin(name: &Name) -> Pin {
    match name {
        Name::Image(image) => Pin::Image(Box::new(fake_image(image))),
        Name::Http(file) => Pin::Http(HttpPin {
            content: Digest::of(file.url.as_bytes()),
            file_name: file.url.contains("disposition").then(|| "named-by-header".to_owned()),
            last_modified: Some(1_700_000_000),
        }),
        Name::Git(git) => {
            let digest = Digest::of(format!("{git:?}").as_bytes());
            Pin::Git(GitPin { commit: digest.hex()[..40].to_owned() })
        }
        Name::Time(_) => Pin::Time(Some(1_600_000_000)),
    }
}

fn fake_image(name: &ImageName) -> ImagePin {
    let (path, resolved) = match &name.location {
        ImageLocation::Reference(reference) => {
            (reference.familiar(), Some(Digest::of(reference.to_string().as_bytes())))
        }
        ImageLocation::OciLayout(path) => (path.clone(), None),
    };
    let path = path.split([':', '@']).next().unwrap_or_default().to_owned();
    let platform =
        if path == "arm-only" { Platform::new("linux", "arm64", None) } else { name.platform.clone() };
    let mut config = ImageConfig::for_platform(&platform);
    let strings = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    config.config.env = strings(&["PATH=/usr/bin:/bin"]);
    config.config.cmd = Some(strings(&["sh"]));
    match path.as_str() {
        "app" => {
            config.config.env = strings(&["APP=1", "PATH=/app/bin", "EMPTY="]);
            config.config.entrypoint = Some(strings(&["/entry"]));
            config.config.cmd = Some(strings(&["serve"]));
            config.config.user = "1000:1000".to_owned();
            config.config.working_dir = "/srv/".to_owned();
            config.config.shell = strings(&["/bin/ash", "-ec"]);
            config.config.labels.insert("from".to_owned(), "app".to_owned());
            config.config.exposed_ports.insert("80/tcp".to_owned());
        }
        "odd" => {
            config.config.env = strings(&["A=1", "B", "A=2"]);
            config.config.entrypoint = Some(Vec::new());
            config.config.cmd = Some(Vec::new());
        }
        "triggers" => {
            config.config.on_build =
                strings(&["ENV TRIGGERED=yes", "RUN echo $TRIGGERED", "COPY config /etc/"]);
        }
        "triggers-of-image" => config.config.on_build = strings(&["COPY --from=tools /bin/tool /bin/"]),
        "broken-triggers" => config.config.on_build = strings(&["BOGUS x"]),
        _ => {}
    }
    if path == "nothing" {
        config.config = image::ContainerConfig::default();
    } else {
        let layer = DiffId(Digest::of(format!("{path} {platform}").as_bytes()));
        config.rootfs.diff_ids.push(layer);
        config.history.push(History { created_by: format!("a layer of {path}"), ..History::default() });
    }
    ImagePin { resolved, config }
}

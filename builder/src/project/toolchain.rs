//! Which programs a folder makes, from the files of its toolchains. These are guesses for a first
//! `edgec.toml`, which a person reads and changes.

use serde_json::Value;

/// The program that `cargo build --release --target wasm32-wasip2` makes of the package in this
/// `Cargo.toml`. `None` if the file has no package.
pub fn cargo_output(manifest: &str) -> Option<String> {
    let manifest: toml::Table = toml::from_str(manifest).ok()?;
    let package = manifest.get("package")?.get("name")?.as_str()?;
    // A library's file has underscores, and a program's file has the name as it is.
    let is_library = manifest.contains_key("lib");
    let name = match is_library {
        true => package.replace('-', "_"),
        false => package.to_owned(),
    };
    Some(format!("{CARGO_FOLDER}/{name}.wasm"))
}

/// Where cargo puts programs for WASI preview 2.
pub const CARGO_FOLDER: &str = "target/wasm32-wasip2/release";

/// The program that the scripts of this `package.json` make with `jco` or `componentize-js`: the
/// value of the first `-o`, else `app.wasm`. `None` if the file names neither tool.
pub fn javascript_output(manifest: &str) -> Option<String> {
    const TOOLS: [&str; 4] = [
        "@bytecodealliance/jco",
        "@bytecodealliance/componentize-js",
        "jco",
        "componentize-js",
    ];
    let manifest: Value = serde_json::from_str(manifest).ok()?;
    let lists = ["dependencies", "devDependencies"];
    let mut lists = lists
        .iter()
        .filter_map(|list| manifest.get(list)?.as_object());
    let depends = lists.any(|list| TOOLS.iter().any(|tool| list.contains_key(*tool)));
    let scripts = manifest.get("scripts").and_then(Value::as_object);
    let scripts = scripts.into_iter().flat_map(|scripts| scripts.values());
    let scripts: Vec<&str> = scripts.filter_map(Value::as_str).collect();
    let starts = |script: &&str| script.split_whitespace().any(|word| TOOLS.contains(&word));
    if !depends && !scripts.iter().any(starts) {
        return None;
    }
    let output = scripts.iter().find_map(|script| output_of(script));
    Some(output.unwrap_or_else(|| "app.wasm".to_owned()))
}

/// The program that `componentize-py` makes, if this `pyproject.toml` or `requirements.txt` names
/// it.
pub fn python_output(manifest: &str) -> Option<String> {
    let names =
        |line: &str| !line.trim_start().starts_with('#') && line.contains("componentize-py");
    manifest.lines().any(names).then(|| "app.wasm".to_owned())
}

/// The value of `-o` in a command line, if it is a program's name.
fn output_of(script: &str) -> Option<String> {
    let words: Vec<&str> = script.split_whitespace().collect();
    let options = ["-o", "--out", "--output"];
    let mut values = words.windows(2).filter_map(|pair| match pair {
        [option, value] if options.contains(option) => Some(value.trim_matches(['"', '\''])),
        _ => None,
    });
    let output = values.find(|value| value.ends_with(".wasm"))?;
    Some(output.trim_start_matches("./").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_toolchain_has_its_output() {
        let program = "[package]\nname = \"my-shop\"\nversion = \"1.0.0\"\n";
        let output = "target/wasm32-wasip2/release/my-shop.wasm";
        assert_eq!(cargo_output(program).as_deref(), Some(output));
        let library = format!("{program}[lib]\ncrate-type = [\"cdylib\"]\n");
        let output = "target/wasm32-wasip2/release/my_shop.wasm";
        assert_eq!(cargo_output(&library).as_deref(), Some(output));
        assert_eq!(cargo_output("[workspace]\nmembers = []"), None);
        assert_eq!(cargo_output("not toml"), None);

        let scripts = r#"{"scripts": {"build": "jco componentize a.js --wit w -o ./dist/a.wasm"}}"#;
        assert_eq!(javascript_output(scripts).as_deref(), Some("dist/a.wasm"));
        let depends = r#"{"devDependencies": {"@bytecodealliance/jco": "1"}}"#;
        assert_eq!(javascript_output(depends).as_deref(), Some("app.wasm"));
        assert_eq!(
            javascript_output(r#"{"dependencies": {"left-pad": "1"}}"#),
            None
        );
        assert_eq!(javascript_output("{"), None);

        let python = "[project]\ndependencies = [\"componentize-py==0.19\"]\n";
        assert_eq!(python_output(python).as_deref(), Some("app.wasm"));
        assert_eq!(python_output("# componentize-py\nrequests\n"), None);
    }
}

//! The messages of the parser in the words of users.

/// Says what to write, instead of which types the parser knows. `list` is the name of the file's
/// list of tables.
pub(crate) fn what(message: &str, list: &str) -> String {
    let begins = ["invalid type: ", "invalid value: "];
    let found = begins.iter().find_map(|begin| message.strip_prefix(begin));
    // This takes the last match, since a value may contain these words as well.
    let expected = found.and_then(|found| found.rsplit_once(", expected "));
    match expected {
        Some((_, "u64" | "u32" | "u16" | "usize")) => {
            "write a whole number, 0 or more, without quotes".to_owned()
        }
        Some((_, "f64")) => "write a number without quotes, such as 1.5".to_owned(),
        Some((_, "a boolean")) => "write true or false".to_owned(),
        Some((found, "a sequence")) if found.starts_with("map") => {
            format!("write the name in double brackets, as in `[[{list}]]`: it is a list of tables")
        }
        Some((_, "a sequence")) => "write a list in brackets".to_owned(),
        Some((_, "socket address")) => ADDRESS.to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "write a table".to_owned(),
        Some((_, expected)) => format!("write {expected}"),
        None => match message {
            "invalid socket address syntax" => ADDRESS.to_owned(),
            "duplicate key" => format!(
                "this name is there twice; each {list} begins with `[[{list}]]`, in double brackets"
            ),
            message => message.to_owned(),
        },
    }
}

const ADDRESS: &str = "write an IP address and a port, such as \"127.0.0.1:9600\"";

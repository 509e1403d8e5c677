//! Reads orders as JSON, and prints a page of HTML, with notes in Markdown. It has the parsers that
//! many programs have: `serde_json`, `regex` and `pulldown-cmark`.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::process::ExitCode;

use orders::{Amount, Item, Order, Report};
use pulldown_cmark::{Options, Parser, html};
use regex::{Captures, Regex};
use serde_json::{Value, json};

/// What is between braces in a text stands for a number of the report.
const PLACE: &str = r"\{(?<what>orders|paid|saved):(?<customer>[\p{L}\d_-]{1,40})\}";

fn main() -> ExitCode {
    match run() {
        Ok(page) => {
            print!("{page}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let input: Value = serde_json::from_str(&text)?;
    let hidden = match input["hidden"].as_str() {
        Some(pattern) => Some(Regex::new(pattern)?),
        None => None,
    };
    let mut report = Report::default();
    for (index, value) in list(&input, "orders")?.iter().enumerate() {
        let order = order(value).map_err(|error| format!("order {}: {error}", index + 1))?;
        if !hidden
            .as_ref()
            .is_some_and(|hidden| hidden.is_match(&order.customer))
        {
            report.add(&order)?;
        }
    }
    let notes = input["notes"].as_str().unwrap_or("No notes.");
    page(&report, &filled(notes, &report)?)
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match &value[name] {
        Value::Array(values) => Ok(values),
        Value::Null => Ok(&[]),
        other => Err(format!("`{name}` is no list: {other}")),
    }
}

fn order(value: &Value) -> Result<Order, Box<dyn Error>> {
    let text = |name: &str| value[name].as_str().ok_or(format!("`{name}` is no text"));
    let items = list(value, "items")?.iter().map(item);
    Ok(Order {
        number: value["number"].as_u64().unwrap_or(0).try_into()?,
        day: text("day")?.parse()?,
        customer: text("customer")?.to_lowercase(),
        items: items.collect::<Result<_, _>>()?,
    })
}

fn item(value: &Value) -> Result<Item, Box<dyn Error>> {
    Ok(Item {
        what: value["what"]
            .as_str()
            .ok_or("an item has no name")?
            .to_owned(),
        count: value["count"].as_u64().unwrap_or(1).try_into()?,
        price: value["price"].as_str().unwrap_or("0").parse()?,
    })
}

/// A text with the numbers that it asks for.
fn filled(text: &str, report: &Report) -> Result<String, regex::Error> {
    let number = |found: &Captures<'_>| match report.customers.get(&found["customer"]) {
        None => "none".to_owned(),
        Some(customer) => match &found["what"] {
            "orders" => customer.orders.to_string(),
            "paid" => customer.paid.to_string(),
            _ => customer.saved.to_string(),
        },
    };
    Ok(Regex::new(PLACE)?.replace_all(text, number).into_owned())
}

fn page(report: &Report, notes: &str) -> Result<String, Box<dyn Error>> {
    let mut table = String::from("| customer | orders | paid |\n|---|---:|---:|\n");
    let mut names: Vec<_> = report.customers.keys().collect();
    names.sort();
    for name in names {
        let customer = &report.customers[name];
        writeln!(
            table,
            "| {name} | {} | {} |",
            customer.orders, customer.paid
        )?;
    }
    let text = format!("# Orders\n\n{table}\n{notes}\n");
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(&text, Options::ENABLE_TABLES));
    let sum: i64 = report
        .months
        .values()
        .map(|Amount(hundredths)| hundredths)
        .sum();
    let data = json!({ "sum": sum, "items": report.items });
    Ok(format!(
        "<!doctype html>\n{out}<script type=\"application/json\">{}</script>\n",
        serde_json::to_string_pretty(&data)?.replace('<', "\\u003c")
    ))
}

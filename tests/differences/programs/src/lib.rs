//! Orders of a shop: how they are read, priced and summed up. Two programs share it.
//!
//! They measure the difference between two versions of a program: `../compiled.py` compiles them as
//! they are, and with more lines in one function, `discount`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{self, BufRead, Write};
use std::num::ParseIntError;
use std::str::FromStr;

/// An amount of money, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub i64);

impl Amount {
    fn times(self, count: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(count)).map(Self)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    fn percent(self, percent: i64) -> Self {
        Self(self.0 / 100 * percent + self.0 % 100 * percent / 100)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:02}", self.0.abs() / 100, self.0.abs() % 100);
        f.pad(&text)
    }
}

impl FromStr for Amount {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let hundredths = match part.len() {
            0 => 0,
            1 => number::<i64>(part)? * 10,
            2 => number::<i64>(part)?,
            _ => return Err(Problem::Amount(text.to_owned())),
        };
        number::<i64>(whole)?
            .checked_mul(100)
            .and_then(|amount| amount.checked_add(hundredths))
            .map(Self)
            .ok_or(Problem::TooMuch)
    }
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl FromStr for Day {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or_else(|| Problem::Day(text.to_owned()));
        let (year, month, day) = (part()?, part()?, part()?);
        let day = Self {
            year: number(year)?,
            month: number(month)?,
            day: number(day)?,
        };
        let leap = day.year % 4 == 0 && (day.year % 100 != 0 || day.year % 400 == 0);
        let days = match day.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        match (1..=days).contains(&day.day) {
            true => Ok(day),
            false => Err(Problem::Day(text.to_owned())),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Why an order is refused.
#[derive(Debug)]
pub enum Problem {
    Word(String),
    Missing(&'static str),
    Number(String, ParseIntError),
    Amount(String),
    Day(String),
    Twice(u32),
    NoOrder,
    TooMuch,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}` begins no line; write `order` or `item`"),
            Self::Missing(what) => write!(f, "the {what} is missing"),
            Self::Number(text, error) => write!(f, "`{text}` is not a number: {error}"),
            Self::Amount(text) => write!(f, "`{text}` is not an amount, such as 12.50"),
            Self::Day(text) => write!(f, "`{text}` is not a day, such as 2026-02-28"),
            Self::Twice(number) => write!(f, "order {number} is there twice"),
            Self::NoOrder => f.write_str("an item stands before the first order"),
            Self::TooMuch => f.write_str("the amount is too large"),
        }
    }
}

impl std::error::Error for Problem {}

fn number<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, Problem> {
    text.parse()
        .map_err(|error| Problem::Number(text.to_owned(), error))
}

/// A line of an order.
#[derive(Debug)]
pub struct Item {
    pub what: String,
    pub count: u32,
    pub price: Amount,
}

/// What a customer ordered on a day.
#[derive(Debug)]
pub struct Order {
    pub number: u32,
    pub day: Day,
    pub customer: String,
    pub items: Vec<Item>,
}

impl Order {
    /// The price before any discount.
    pub fn sum(&self) -> Result<Amount, Problem> {
        let mut sum = Amount::default();
        for item in &self.items {
            let line = item.price.times(item.count).ok_or(Problem::TooMuch)?;
            sum = sum.plus(line).ok_or(Problem::TooMuch)?;
        }
        Ok(sum)
    }
}

/// Reads orders from lines of text, such as `order 17 2026-03-04 alice` and, for each item of it,
/// `item tea 3 4.50`.
pub fn read(input: impl BufRead) -> Result<Vec<Order>, Box<dyn std::error::Error>> {
    let (mut orders, mut seen) = (Vec::<Order>::new(), HashSet::new());
    for (index, line) in input.lines().enumerate() {
        let line = line?;
        let place = |problem| format!("line {}: {problem}", index + 1);
        let mut words = line.split_whitespace();
        match words.next() {
            None => {}
            Some(word) if word.starts_with('#') => {}
            Some("order") => {
                let order = order(words).map_err(place)?;
                if !seen.insert(order.number) {
                    return Err(place(Problem::Twice(order.number)).into());
                }
                orders.push(order);
            }
            Some("item") => {
                let last = orders.last_mut().ok_or(Problem::NoOrder).map_err(place)?;
                last.items.push(item(words).map_err(place)?);
            }
            Some(word) => return Err(place(Problem::Word(word.to_owned())).into()),
        }
    }
    Ok(orders)
}

fn order<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Order, Problem> {
    let number_ = number(words.next().ok_or(Problem::Missing("number"))?)?;
    let day = words.next().ok_or(Problem::Missing("day"))?.parse()?;
    let customer = words.next().ok_or(Problem::Missing("customer"))?;
    Ok(Order {
        number: number_,
        day,
        customer: customer.to_lowercase(),
        items: Vec::new(),
    })
}

fn item<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Item, Problem> {
    let what = words.next().ok_or(Problem::Missing("item"))?;
    let count = number(words.next().ok_or(Problem::Missing("count"))?)?;
    let price = words.next().ok_or(Problem::Missing("price"))?.parse()?;
    Ok(Item {
        what: what.to_owned(),
        count,
        price,
    })
}

/// What is taken off an order. The version after has more rules.
fn discount(order: &Order, sum: Amount, orders_before: usize) -> Amount {
    let mut percent = 0;
    if sum >= Amount(100_00) {
        percent += 5;
    }
    if orders_before >= 3 {
        percent += 2;
    }
    if order.day.month == 12 && order.day.day > 23 {
        percent += 1;
    }
    sum.percent(percent)
}

/// What a customer ordered in all.
#[derive(Default)]
pub struct Customer {
    pub orders: usize,
    pub paid: Amount,
    pub saved: Amount,
}

/// The sums of all orders.
#[derive(Default)]
pub struct Report {
    pub customers: HashMap<String, Customer>,
    pub months: BTreeMap<(u16, u8), Amount>,
    pub items: HashMap<String, u64>,
}

impl Report {
    /// Counts an order.
    pub fn add(&mut self, order: &Order) -> Result<(), Problem> {
        let customer = self.customers.entry(order.customer.clone()).or_default();
        let sum = order.sum()?;
        let off = discount(order, sum, customer.orders);
        let due = sum.plus(Amount(-off.0)).ok_or(Problem::TooMuch)?;
        customer.orders += 1;
        customer.paid = customer.paid.plus(due).ok_or(Problem::TooMuch)?;
        customer.saved = customer.saved.plus(off).ok_or(Problem::TooMuch)?;
        let month = self
            .months
            .entry((order.day.year, order.day.month))
            .or_default();
        *month = month.plus(due).ok_or(Problem::TooMuch)?;
        for item in &order.items {
            *self.items.entry(item.what.clone()).or_default() += u64::from(item.count);
        }
        Ok(())
    }

    /// Prints the report as text.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let mut customers: Vec<_> = self.customers.iter().collect();
        customers.sort_by(|(a, x), (b, y)| y.paid.cmp(&x.paid).then_with(|| a.cmp(b)));
        writeln!(
            out,
            "{:<20}{:>8}{:>14}{:>12}",
            "customer", "orders", "paid", "saved"
        )?;
        for (name, customer) in customers {
            let Customer {
                orders,
                paid,
                saved,
            } = customer;
            writeln!(out, "{name:<20}{orders:>8}{paid:>14}{saved:>12}")?;
        }
        for ((year, month), sum) in &self.months {
            let bar = "#".repeat(usize::try_from(sum.0 / 100_00).unwrap_or(0).min(40));
            writeln!(out, "{year}-{month:02} {sum:>12} {bar}")?;
        }
        let mut items: Vec<_> = self.items.iter().collect();
        items.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        for (what, count) in items.into_iter().take(10) {
            writeln!(out, "{count:>8} x {}", what.replace('_', " "))?;
        }
        Ok(())
    }
}

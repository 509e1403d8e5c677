//! Turns: which programs compute now.
//!
//! At most as many programs compute as there are processors, and an application has at most as many
//! in the line. So applications share the processors evenly, however many requests one of them has,
//! and a request waits for few pieces of work of others.
//!
//! Most requests end within a tick of the engine's epoch. A program that has computed for longer
//! goes on in threads of a lower priority ([`Lower`](crate::lower::Lower)), where it takes turns
//! with others like it. The system interrupts it as soon as a short request comes. A program whose
//! requests usually take a quarter of a tick or more would delay short ones too, since nothing
//! interrupts it. While several applications are asked, it runs in threads between the two.

mod habit;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use self::habit::Company;
pub(crate) use self::habit::Habit;
use crate::queue::Room;

/// The places in the lines of a host, or of one of its applications.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    short: Room,
    medium: Room,
    long: Room,
    company: Arc<Company>,
}

/// For how long a program computes. Each has a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Length {
    /// For a part of a tick.
    Short,
    /// For a large part of a tick.
    Medium,
    /// For more than a tick.
    Long,
}

impl Default for Turns {
    /// A place for each processor in each line.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of(u32::try_from(processors).unwrap_or(u32::MAX))
    }
}

impl Turns {
    fn of(places: u32) -> Self {
        Self {
            short: Room::new(places),
            medium: Room::new(places),
            long: Room::new(places),
            company: Arc::default(),
        }
    }

    fn line(&self, length: Length) -> &Room {
        match length {
            Length::Short => &self.short,
            Length::Medium => &self.medium,
            Length::Long => &self.long,
        }
    }
}

/// The ticks of a turn of a long computation.
const TICKS: u32 = 5;
/// The permits of a turn: the application's, and the host's.
type Held = [Option<OwnedSemaphorePermit>; 2];

/// The turn of one instance.
#[derive(Debug)]
pub(crate) struct Turn {
    own: Turns,
    all: Turns,
    habit: Arc<Habit>,
    /// The line in which it stands.
    length: AtomicU8,
    /// Whether it has computed for a tick.
    was_long: AtomicBool,
    /// The ticks of this turn.
    ticks: AtomicU32,
    held: Mutex<Option<Held>>,
}

impl Turn {
    /// In the lines of an application and of its host.
    pub(crate) fn new(own: &Turns, all: &Turns, habit: &Arc<Habit>) -> Self {
        Self {
            own: own.clone(),
            all: all.clone(),
            length: AtomicU8::new(habit.length(all.company.asked(habit)) as u8),
            habit: Arc::clone(habit),
            was_long: AtomicBool::new(false),
            ticks: AtomicU32::new(0),
            held: Mutex::new(None),
        }
    }

    /// The program has computed for a tick. Returns whether its turn is over. A short computation
    /// becomes a long one. The turns of long ones are longer: an application that has many then
    /// ends one after the other, and has few in the middle of their work.
    pub(crate) fn tick(&self) -> bool {
        let was_long = self.is_long();
        self.becomes_long();
        let ticks = self.ticks.fetch_add(1, Ordering::Relaxed);
        !was_long || ticks.saturating_add(1) >= TICKS
    }

    /// From now on, it stands in the line of long computations.
    pub(crate) fn becomes_long(&self) {
        self.length.store(Length::Long as u8, Ordering::Relaxed);
        if !self.was_long.swap(true, Ordering::Relaxed) {
            self.habit.long();
        }
    }

    /// Whether it has computed for a tick.
    fn was_long(&self) -> bool {
        self.was_long.load(Ordering::Relaxed)
    }

    pub(crate) fn is_long(&self) -> bool {
        self.length() == Length::Long
    }

    /// How long its program is, as far as that is known.
    pub(crate) fn length(&self) -> Length {
        let length = self.length.load(Ordering::Relaxed);
        let all = [Length::Short, Length::Medium];
        let found = all.into_iter().find(|it| *it as u8 == length);
        found.unwrap_or(Length::Long)
    }

    /// The lines in which it stands: the application's first, so that an application has few
    /// programs in the line of the host.
    fn lines(&self) -> [Room; 2] {
        let length = self.length();
        [&self.own, &self.all].map(|turns| turns.line(length).clone())
    }

    /// Begins the turn, if no other instance stands in line. Returns whether it is its
    /// turn.
    pub(crate) fn now(&self) -> bool {
        let mut turn = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.is_none() {
            let [own, all] = self.lines();
            // A permit of the first that is dropped lets the next one of the application try.
            let Some(own) = own.now() else { return false };
            let Some(all) = all.now() else { return false };
            *turn = Some([Some(own), Some(all)]);
        }
        true
    }

    /// Waits in line until the turn begins.
    pub(crate) async fn later(self: Arc<Self>) {
        let [own, all] = self.lines();
        let own = own.later().await;
        let all = all.later().await;
        self.put(Some([own, all]));
    }

    /// Ends the turn, if it is this instance's turn: its tick is over, or it waits.
    pub(crate) fn end(&self) {
        self.put(None);
    }

    /// Lets others run, and waits for the next turn among those that compute for long.
    pub(crate) async fn next(self: Arc<Self>) {
        self.becomes_long();
        self.end();
        yield_now().await;
        self.later().await;
    }

    fn put(&self, turn: Option<Held>) {
        self.ticks.store(0, Ordering::Relaxed);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = turn;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::habit::USUAL;
    use super::*;

    fn turns(places: u32) -> Turns {
        Turns::of(places)
    }

    #[tokio::test]
    async fn a_turn_begins_when_another_ends() {
        let (own, all) = (turns(1), turns(1));
        let turn = || Arc::new(Turn::new(&own, &all, &Arc::default()));
        let (one, two) = (turn(), turn());
        Arc::clone(&one).next().await;
        assert_eq!((own.long.free(), all.long.free()), (0, 0));
        let next = tokio::spawn(Arc::clone(&two).next());
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!next.is_finished());
        one.end();
        next.await.unwrap();
        assert_eq!(all.long.free(), 0);
        // Dropping an instance ends its turn as well.
        drop(two);
        assert_eq!((own.long.free(), all.long.free()), (1, 1));
    }

    #[tokio::test]
    async fn an_application_waits_for_few_of_another() {
        let (crowd, other, all) = (turns(1), turns(1), turns(1));
        let runs = Arc::new(Turn::new(&crowd, &all, &Arc::default()));
        assert!(runs.now());
        // Ten requests of one application, and then one of another.
        let order = Arc::new(Mutex::new(Vec::new()));
        let line = |own: &Turns, name: &'static str| {
            let (turn, order) = (
                Arc::new(Turn::new(own, &all, &Arc::default())),
                Arc::clone(&order),
            );
            tokio::spawn(async move {
                Arc::clone(&turn).later().await;
                order.lock().unwrap().push(name);
            })
        };
        let mut tasks: Vec<_> = (0..10).map(|_| line(&crowd, "crowd")).collect();
        yield_now().await;
        tasks.push(line(&other, "other"));
        yield_now().await;
        runs.end();
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        let place = order.iter().position(|name| *name == "other");
        assert!(place.is_some_and(|place| place <= 1), "{order:?}");
    }

    #[test]
    fn a_turn_of_a_long_computation_lasts_for_several_ticks() {
        let turn = Turn::new(&turns(1), &turns(1), &Arc::default());
        assert!(turn.now());
        assert!(turn.tick());
        turn.end();
        assert!(turn.now());
        let ends: Vec<bool> = (0..TICKS).map(|_| turn.tick()).collect();
        assert_eq!(ends.iter().filter(|it| **it).count(), 1);
        assert_eq!(ends.last(), Some(&true));
    }

    #[test]
    fn long_programs_take_no_turn_of_short_ones() {
        let (own, all) = (turns(1), turns(1));
        let (short, long) = (
            Turn::new(&own, &all, &Arc::default()),
            Turn::new(&own, &all, &Arc::default()),
        );
        long.becomes_long();
        assert!(long.now() && short.now());
        assert!(!Turn::new(&own, &all, &Arc::default()).now());
        short.end();
        assert!(Turn::new(&own, &all, &Arc::default()).now());
    }

    #[test]
    fn what_was_often_long_begins_in_the_line_of_long_computations() {
        let (own, all, habit) = (turns(1), turns(1), Arc::default());
        let turn = || Turn::new(&own, &all, &habit);
        for _ in 0..USUAL {
            let turn = turn();
            assert!(!turn.is_long());
            turn.becomes_long();
            turn.becomes_long();
            habit.ended(&turn, Duration::ZERO);
        }
        let short = turn();
        assert!(short.is_long());
        habit.ended(&short, Duration::ZERO);
        assert!(!turn().is_long());
    }

    #[test]
    fn what_usually_takes_a_large_part_of_a_tick_delays_no_short_request() {
        let (own, all, habit) = (turns(1), turns(1), Arc::<Habit>::default());
        let turn = || {
            // It is not alone.
            Turn::new(&turns(1), &all, &Arc::default());
            Turn::new(&own, &all, &habit)
        };
        let ends = |micros: u64, times: usize| {
            for _ in 0..times {
                habit.ended(&turn(), Duration::from_micros(micros));
            }
            turn().length()
        };
        // One that takes much longer is no habit, also not if it only waited for a processor.
        assert_eq!(ends(100, 50), Length::Short);
        assert_eq!(ends(60_000, 1), Length::Short);
        assert_eq!(ends(1500, 20), Length::Medium);
        let (crowd, next) = (turn(), turn());
        assert!(crowd.now() && !next.now());
        let other = Turn::new(&turns(1), &all, &Arc::default());
        assert!(other.now());
        // Between the two bounds, it stays what it is.
        assert_eq!(ends(400, 50), Length::Medium);
        assert_eq!(ends(100, 50), Length::Short);
        assert_eq!(ends(400, 50), Length::Short);
    }

    #[test]
    fn what_is_alone_keeps_the_usual_priority() {
        let (own, all, habit) = (turns(1), turns(1), Arc::<Habit>::default());
        let turn = || Turn::new(&own, &all, &habit);
        for _ in 0..20 {
            habit.ended(&turn(), Duration::from_micros(1500));
        }
        assert_eq!(turn().length(), Length::Short);
        let other = Turn::new(&turns(1), &all, &Arc::default());
        assert_eq!(other.length(), Length::Short);
        assert_eq!(turn().length(), Length::Medium);
    }

    #[test]
    fn a_medium_program_can_become_a_long_one() {
        let (own, all, habit) = (turns(1), turns(1), Arc::<Habit>::default());
        for _ in 0..20 {
            let turn = Turn::new(&own, &all, &habit);
            habit.ended(&turn, Duration::from_micros(1500));
        }
        Turn::new(&turns(1), &all, &Arc::default());
        let turn = Turn::new(&own, &all, &habit);
        assert!(turn.now() && turn.tick());
        assert_eq!(turn.length(), Length::Long);
        // Its next turn is in the other line.
        turn.end();
        assert!(turn.now());
        assert_eq!((all.medium.free(), all.long.free()), (1, 0));
    }
}

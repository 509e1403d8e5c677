//! Turns: which programs compute now.
//!
//! At most as many programs compute as there are processors, and an application has at most as many
//! in the line. So applications share the processors evenly, however many requests one of them has,
//! and a request waits for few pieces of work of others.
//!
//! Most requests end within a tick of the engine's epoch. A program that has computed for longer
//! goes on in threads of a lower priority ([`Long`](crate::long::Long)), where it takes turns with
//! others like it. The system interrupts it as soon as a short request comes.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use crate::queue::Room;

/// The places in the lines of a host, or of one of its applications.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    short: Room,
    long: Room,
}

impl Default for Turns {
    /// A place for each processor in each line.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = u32::try_from(processors).unwrap_or(u32::MAX);
        Self {
            short: Room::new(places),
            long: Room::new(places),
        }
    }
}

/// What the programs of an application usually are. Those that usually compute for long do so from
/// their beginning. Otherwise the first tick of each endless loop would delay short requests.
#[derive(Debug, Default)]
pub(crate) struct Habit(AtomicU32);

/// The ticks of a turn of a long computation.
const TICKS: u32 = 5;
/// After so many long computations in a row, the next one is expected to be long.
const USUAL: u32 = 3;

impl Habit {
    fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= USUAL
    }

    fn long(&self) {
        let order = Ordering::Relaxed;
        let more = |now: u32| (now < USUAL).then_some(now + 1);
        let _ = self.0.fetch_update(order, order, more);
    }

    /// A program has ended, in this turn.
    pub(crate) fn ended(&self, turn: &Turn) {
        if !turn.was_long.load(Ordering::Relaxed) {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}

/// The permits of a turn: the application's, and the host's.
type Held = [Option<OwnedSemaphorePermit>; 2];

/// The turn of one instance.
#[derive(Debug)]
pub(crate) struct Turn {
    own: Turns,
    all: Turns,
    habit: Arc<Habit>,
    /// Whether it stands in the line of long computations.
    is_long: AtomicBool,
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
            is_long: AtomicBool::new(habit.is_long()),
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
        self.is_long.store(true, Ordering::Relaxed);
        if !self.was_long.swap(true, Ordering::Relaxed) {
            self.habit.long();
        }
    }

    pub(crate) fn is_long(&self) -> bool {
        self.is_long.load(Ordering::Relaxed)
    }

    /// The lines in which it stands: the application's first, so that an application has few
    /// programs in the line of the host.
    fn lines(&self) -> [Room; 2] {
        let room = |turns: &Turns| match self.is_long() {
            true => turns.long.clone(),
            false => turns.short.clone(),
        };
        [room(&self.own), room(&self.all)]
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
    use super::*;

    fn turns(places: u32) -> Turns {
        Turns {
            short: Room::new(places),
            long: Room::new(places),
        }
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
            habit.ended(&turn);
        }
        let short = turn();
        assert!(short.is_long());
        habit.ended(&short);
        assert!(!turn().is_long());
    }
}

//! Ranges of pages: which were written, and which should be resident.

use std::collections::HashSet;
use std::ops::Range;

/// Pages of a memory, by number. The ranges are sorted, and none touches the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// The pages for which `is` is true.
    pub(super) fn of(is: impl IntoIterator<Item = bool>) -> Self {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let pages = is.into_iter().enumerate();
        for (page, _) in pages.filter(|(_, is)| *is) {
            match ranges.last_mut() {
                Some(last) if last.end == page => last.end = page + 1,
                _ => ranges.push(page..page + 1),
            }
        }
        Self(ranges)
    }

    /// Adds pages. Returns whether any of them is new.
    pub(super) fn add(&mut self, more: &Self) -> bool {
        let mut all: Vec<Range<usize>> = self.0.iter().chain(&more.0).cloned().collect();
        all.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(all.len());
        for range in all {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        let before = std::mem::replace(&mut self.0, joined);
        before != self.0
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn pages(&self) -> usize {
        self.0.iter().map(Range::len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Range<usize>> {
        self.0.iter()
    }

    /// How many of these pages are among `others`.
    pub(super) fn common(&self, others: &Self) -> usize {
        let (mut pages, mut rest) = (0, others.0.as_slice());
        for range in &self.0 {
            while let Some((first, more)) = rest.split_first() {
                let shared = range.end.min(first.end);
                pages += shared.saturating_sub(range.start.max(first.start));
                if first.end > range.end {
                    break;
                }
                rest = more;
            }
        }
        pages
    }

    /// At most `most_ranges` ranges with all of these pages: the smallest gaps are filled. If they
    /// have more than `most_pages` pages, the last ranges are left out.
    pub(super) fn filled(&self, most_ranges: usize, most_pages: usize) -> Self {
        let gap = |pair: &[Range<usize>]| match pair {
            [a, b] => b.start.saturating_sub(a.end),
            _ => 0,
        };
        let mut gaps: Vec<(usize, usize)> = self.0.windows(2).map(gap).zip(1..).collect();
        gaps.sort_unstable();
        gaps.truncate(self.0.len().saturating_sub(most_ranges));
        // The ranges before which the gap is filled.
        let filled: HashSet<usize> = gaps.into_iter().map(|(_, range)| range).collect();
        let mut joined: Vec<Range<usize>> = Vec::new();
        for (number, range) in self.0.iter().enumerate() {
            match joined.last_mut() {
                Some(last) if filled.contains(&number) => last.end = range.end,
                _ => joined.push(range.clone()),
            }
        }
        let mut pages = 0;
        joined.retain(|range| {
            pages += range.len();
            pages <= most_pages
        });
        Self(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[(usize, usize)]) -> Ranges {
        Ranges(ranges.iter().map(|(start, end)| *start..*end).collect())
    }

    #[test]
    fn pages_in_a_row_are_one_range() {
        let written = [true, true, false, false, true, false, true];
        assert_eq!(Ranges::of(written), ranges(&[(0, 2), (4, 5), (6, 7)]));
        assert_eq!(Ranges::of([]), Ranges::default());
    }

    #[test]
    fn what_is_known_already_is_not_new() {
        let mut all = ranges(&[(0, 2), (4, 6)]);
        assert!(!all.add(&ranges(&[(1, 2), (4, 5)])));
        assert!(all.add(&ranges(&[(2, 4)])));
        assert_eq!(all, ranges(&[(0, 6)]));
    }

    #[test]
    fn common_pages_are_counted() {
        let (a, b) = (
            ranges(&[(0, 4), (6, 9), (20, 30)]),
            ranges(&[(1, 7), (8, 25)]),
        );
        assert_eq!(a.common(&b), 3 + 1 + 1 + 5);
        assert_eq!(b.common(&a), a.common(&b));
        assert_eq!(a.common(&Ranges::default()), 0);
    }

    #[test]
    fn the_smallest_gaps_are_filled() {
        let written = ranges(&[(0, 1), (3, 4), (5, 6), (50, 51)]);
        assert_eq!(written.filled(4, 100), written);
        assert_eq!(written.filled(3, 100), ranges(&[(0, 1), (3, 6), (50, 51)]));
        assert_eq!(written.filled(2, 100), ranges(&[(0, 6), (50, 51)]));
        assert_eq!(written.filled(1, 100), ranges(&[(0, 51)]));
    }

    #[test]
    fn no_more_gaps_are_filled_than_necessary() {
        let written = ranges(&[(0, 1), (2, 3), (4, 5), (6, 7)]);
        assert_eq!(written.filled(3, 100), ranges(&[(0, 3), (4, 5), (6, 7)]));
    }

    #[test]
    fn no_more_pages_than_allowed() {
        let written = ranges(&[(0, 10), (20, 30), (40, 50)]);
        assert_eq!(written.filled(9, 25), ranges(&[(0, 10), (20, 30)]));
        assert_eq!(written.filled(9, 9), Ranges::default());
    }
}

//! A component for each reason for which an instance is not merged.

//! The JSON Schema of the format, for editors: made of the parser's own tables.

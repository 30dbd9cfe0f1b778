// Predicates as in scenario files: the syntax of CEL, in three values. A missing field or a wrong type is *unknown*,
// which is no match and is no error. Numbers are those of JavaScript: exact up to 2^53.

class Unknown extends Error {}

class Refused extends Error {
  constructor(message, at) { super(message); this.at = at; }
}

/** Compiles to a function of (payload, event) that gives true, false or undefined, which is unknown. */
function predicate(source) {
  const parser = new Parser(source);
  const root = parser.ternary();
  parser.expect("end", "an operator or the end");
  return (payload, event) => {
    try {
      const value = root({ self: payload, event });
      return typeof value === "boolean" ? value : undefined;
    } catch (error) {
      if (error instanceof Unknown) return undefined;
      throw error;
    }
  };
}

const TOKEN = /\s*(?:(\d+\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|0x[0-9a-fA-F]+|\d+)|(r?"(?:[^"\\]|\\.)*"|r?'(?:[^'\\]|\\.)*')|([A-Za-z_]\w*)|(&&|\|\||[=!<>]=|[-+*\/%<>!?:.,()[\]]|\$\w+))/y;

function tokens(source) {
  const out = [];
  TOKEN.lastIndex = 0;
  let at = 0;
  while (source.slice(at).trim() !== "") {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(source);
    const start = at + source.slice(at).search(/\S/);
    if (!found) throw new Refused(`\`${source[start]}\` is not understood here`, start);
    const [, number, string, name, symbol] = found;
    if (symbol?.startsWith("$")) throw new Refused("there are no variables here", start);
    if (number) out.push({ type: "number", value: Number(number), at: start });
    else if (string) out.push({ type: "string", value: unquoted(string, start), at: start });
    else if (name) out.push({ type: "name", value: name, at: start });
    else out.push({ type: symbol, at: start });
    at = TOKEN.lastIndex;
  }
  out.push({ type: "end", at: source.length });
  return out;
}

function unquoted(literal, at) {
  if (literal[0] === "r") return literal.slice(2, -1);
  const simple = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", a: "\x07", "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?" };
  return literal.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)/g, (_, code) => {
    if (code.length > 1) return String.fromCodePoint(parseInt(code.slice(1), 16));
    if (code in simple) return simple[code];
    throw new Refused(`no escape \`\\${code}\``, at);
  });
}

const unknown = (why) => { throw new Unknown(why); };
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const number = (value) => typeof value === "number" ? value : unknown("no number");
const truth = (value) => typeof value === "boolean" ? value : unknown("no truth value");

function attempt(part, scope) {
  try { return truth(part(scope)); } catch (error) { if (error instanceof Unknown) return undefined; throw error; }
}

/** Two values of different types do not compare; only `null` may be compared with anything. */
function equal(a, b) {
  if (a === null || b === null) return a === b;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && every(a.map((item, at) => [item, b[at]]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length || !keys.every((key) => Object.hasOwn(b, key))) return false;
    return every(keys.map((key) => [a[key], b[key]]));
  }
  return typeof a === typeof b && typeof a !== "object" ? a === b : unknown("values of two types");
}

/** Whether all pairs are equal: one that differs decides, one that is unknown spoils. */
function every(pairs) {
  const found = pairs.map(([a, b]) => attempt(() => equal(a, b)));
  return !found.includes(false) && (found.includes(undefined) ? unknown("values of two types") : true);
}

function among(item, all) {
  if (isObject(all)) return Object.hasOwn(all, text(item));
  if (!Array.isArray(all)) return unknown("no list");
  const found = all.map((one) => attempt(() => equal(one, item)));
  return found.includes(true) || (found.includes(undefined) ? unknown("values of two types") : false);
}

function order(a, b) {
  if (typeof a !== typeof b || !["number", "string", "boolean"].includes(typeof a)) unknown("no order");
  if (typeof a === "string") return [...a].length === a.length && [...b].length === b.length ? (a < b ? -1 : a > b ? 1 : 0) : codePoints(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function codePoints(a, b) {
  const left = Array.from(a, (c) => c.codePointAt(0)), right = Array.from(b, (c) => c.codePointAt(0));
  const at = left.findIndex((code, index) => code !== right[index]);
  return at < 0 ? left.length - right.length : left[at] - (right[at] ?? -1);
}

function member(value, key) {
  if (Array.isArray(value) && Number.isInteger(key)) return key >= 0 && key < value.length ? value[key] : unknown("no such item");
  if (isObject(value) && typeof key === "string") return Object.hasOwn(value, key) ? value[key] : unknown("no such field");
  return unknown("no such field");
}

/** A field or item; it also knows whether it is there. */
function place(base, key) {
  const holds = (scope) => {
    const [value, name] = [base(scope), key(scope)];
    if (isObject(value) && typeof name === "string") return Object.hasOwn(value, name);
    return Array.isArray(value) && Number.isInteger(name) ? name >= 0 && name < value.length : unknown("no such field");
  };
  return Object.assign((scope) => member(base(scope), key(scope)), { holds });
}

const FUNCTIONS = {
  size: (x) => typeof x === "string" ? [...x].length : Array.isArray(x) ? x.length : isObject(x) ? Object.keys(x).length : unknown("no size"),
  int: (x) => typeof x === "string" ? (/^[-+]?\d+$/.test(x) ? Number(x) : unknown("no integer")) : Math.trunc(number(x)),
  double: (x) => typeof x === "string" ? (x.trim() !== "" && !Number.isNaN(Number(x)) ? Number(x) : unknown("no number")) : number(x),
  string: (x) => typeof x === "string" ? x : typeof x === "number" || typeof x === "boolean" ? String(x) : unknown("no text"),
};

const text = (value) => typeof value === "string" ? value : unknown("no text");
const METHODS = {
  startsWith: (x, y) => text(x).startsWith(text(y)),
  endsWith: (x, y) => text(x).endsWith(text(y)),
  contains: (x, y) => text(x).includes(text(y)),
  matches: (x, y) => regex(text(y)).test(text(x)),
};

const regexes = new Map();
function regex(source) {
  if (!regexes.has(source)) {
    const [, flags, body] = /^(?:\(\?([ims]+)\))?([\s\S]*)$/.exec(source);
    regexes.set(source, new RegExp(body, "u" + (flags ?? "")));
  }
  return regexes.get(source);
}

class Parser {
  constructor(source) { this.tokens = tokens(source); this.next = 0; this.bound = []; }

  peek() { return this.tokens[this.next]; }
  take(type) { return this.peek().type === type ? this.tokens[this.next++] : undefined; }
  expect(type, what = `\`${type}\``) {
    return this.take(type) ?? this.refuse(`${what} is expected here`);
  }
  refuse(message, at = this.peek().at) { throw new Refused(message, at); }

  ternary() {
    const test = this.either();
    if (!this.take("?")) return test;
    const yes = this.ternary();
    this.expect(":");
    const no = this.ternary();
    return (scope) => truth(test(scope)) ? yes(scope) : no(scope);
  }

  // `true || unknown` is true, `false && unknown` false; whichever side it stands on.
  either() {
    let left = this.both();
    while (this.take("||")) {
      const [a, b] = [left, this.both()];
      left = (scope) => {
        const [x, y] = [attempt(a, scope), attempt(b, scope)];
        return x === true || y === true || (x === false && y === false ? false : unknown("unknown"));
      };
    }
    return left;
  }

  both() {
    let left = this.relation();
    while (this.take("&&")) {
      const [a, b] = [left, this.relation()];
      left = (scope) => {
        const [x, y] = [attempt(a, scope), attempt(b, scope)];
        return x === false || y === false ? false : x === true && y === true ? true : unknown("unknown");
      };
    }
    return left;
  }

  relation() {
    const a = this.sum();
    const { type, value } = this.peek();
    const tests = {
      "==": equal, "!=": (x, y) => !equal(x, y),
      "<": (x, y) => order(x, y) < 0, "<=": (x, y) => order(x, y) <= 0,
      ">": (x, y) => order(x, y) > 0, ">=": (x, y) => order(x, y) >= 0,
      in: among,
    };
    const test = type === "name" ? (value === "in" ? tests.in : undefined) : tests[type];
    if (!test) return a;
    this.next++;
    const b = this.sum();
    if (tests[this.peek().type]) this.refuse("comparisons do not chain; use `&&`");
    return (scope) => test(a(scope), b(scope));
  }

  sum() {
    let left = this.product();
    for (;;) {
      const a = left;
      if (this.take("+")) {
        const b = this.product();
        left = (scope) => {
          const [x, y] = [a(scope), b(scope)];
          if (typeof x === "string" && typeof y === "string") return x + y;
          return Array.isArray(x) && Array.isArray(y) ? [...x, ...y] : number(x) + number(y);
        };
      } else if (this.take("-")) {
        const b = this.product();
        left = (scope) => number(a(scope)) - number(b(scope));
      } else return left;
    }
  }

  product() {
    let left = this.unary();
    for (;;) {
      const a = left;
      const type = ["*", "/", "%"].find((symbol) => this.take(symbol));
      if (!type) return left;
      const b = this.unary();
      left = (scope) => {
        const [x, y] = [number(a(scope)), number(b(scope))];
        if (type === "*") return x * y;
        const whole = Number.isInteger(x) && Number.isInteger(y);
        if (whole && y === 0) return unknown("division by zero");
        if (type === "%") return whole ? x % y : unknown("no integers");
        return whole ? Math.trunc(x / y) : x / y;
      };
    }
  }

  unary() {
    if (this.take("!")) { const part = this.unary(); return (scope) => !truth(part(scope)); }
    if (this.take("-")) { const part = this.unary(); return (scope) => -number(part(scope)); }
    return this.postfix();
  }

  postfix() {
    let part = this.primary();
    for (;;) {
      const base = part;
      if (this.take(".")) {
        const name = this.expect("name", "a field");
        part = this.take("(") ? this.method(base, name) : place(base, () => name.value);
      } else if (this.take("[")) {
        const key = this.ternary();
        this.expect("]");
        part = place(base, key);
      } else return part;
    }
  }

  method(base, { value: name, at }) {
    if (["exists", "all", "filter", "map"].includes(name)) return this.each(base, name);
    if (name === "size") { this.expect(")"); return (scope) => FUNCTIONS.size(base(scope)); }
    if (!Object.hasOwn(METHODS, name)) this.refuse(`no function \`${name}\` on a value here; there are ${[...Object.keys(METHODS), "exists", "all", "filter", "map"].join(", ")}`, at);
    const literal = this.peek();
    const argument = this.ternary();
    this.expect(")");
    if (name === "matches" && literal.type === "string") {
      try { regex(literal.value); } catch (error) { this.refuse(`this page cannot use that pattern: ${error.message}`, literal.at); }
    }
    return (scope) => METHODS[name](base(scope), argument(scope));
  }

  each(base, name) {
    const { value: variable } = this.expect("name", "a name for the items");
    this.expect(",");
    this.bound.push(variable);
    const body = this.ternary();
    this.bound.pop();
    this.expect(")");
    return (scope) => {
      const value = base(scope);
      const list = isObject(value) ? Object.keys(value) : Array.isArray(value) ? value : unknown("no list");
      const on = (item) => ({ ...scope, [`bound ${variable}`]: item });
      if (name === "map") return list.map((item) => body(on(item)));
      if (name === "filter") return list.filter((item) => truth(body(on(item))));
      const found = list.map((item) => attempt(body, on(item)));
      const decisive = name === "exists";
      if (found.includes(decisive)) return decisive;
      return found.includes(undefined) ? unknown("unknown of an item") : !decisive;
    };
  }

  primary() {
    const token = this.peek();
    if (this.take("(")) { const inner = this.ternary(); this.expect(")"); return inner; }
    if (this.take("[")) {
      const items = [];
      while (!this.take("]")) {
        items.push(this.ternary());
        if (!this.take(",")) { this.expect("]"); break; }
      }
      return (scope) => items.map((item) => item(scope));
    }
    if (token.type === "number" || token.type === "string") { this.next++; return () => token.value; }
    const { value: name } = this.expect("name", "a value");
    if (this.peek().type === "(") return this.call(name, token.at);
    if (["true", "false", "null"].includes(name)) return () => JSON.parse(name);
    if (this.bound.includes(name)) return (scope) => scope[`bound ${name}`];
    if (name === "self") return (scope) => scope.self === undefined ? unknown("no payload") : scope.self;
    if (name === "event") {
      const field = this.tokens[this.next + 1]?.value;
      if (["section", "time"].includes(field)) this.refuse(`this page does not know \`event.${field}\`; \`tribunal events --where\` does`, token.at);
      return (scope) => scope.event;
    }
    return place((scope) => scope.self, () => name);
  }

  call(name, at) {
    this.expect("(");
    if (name === "has") {
      const part = this.ternary();
      this.expect(")");
      if (!part.holds) this.refuse("`has` takes a field: has(a.b)", at);
      return part.holds;
    }
    if (!Object.hasOwn(FUNCTIONS, name)) this.refuse(`no function \`${name}\` here; there are has, ${Object.keys(FUNCTIONS).join(", ")}`, at);
    const argument = this.ternary();
    this.expect(")");
    return (scope) => FUNCTIONS[name](argument(scope));
  }
}

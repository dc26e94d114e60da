// Keep values in this browser. A browser may forbid it, and then nothing is kept.

function storage(open) {
  const use = (action, otherwise) => {
    try {
      return action(open());
    } catch {
      return otherwise;
    }
  };
  const name = (key) => `thawline.${key}`;
  return {
    get: (key) => use((place) => JSON.parse(place.getItem(name(key))), null),
    set: (key, value) => use((place) => {
      place.setItem(name(key), JSON.stringify(value));
      return true;
    }, false),
    remove: (key) => use((place) => place.removeItem(name(key)), undefined),
  };
}

export const kept = {
  /** Kept until it is cleared. */
  local: storage(() => localStorage),
  /** Kept until the tab is closed. */
  session: storage(() => sessionStorage),
};

const RECENT = "recent";
const OFF = "recent-off";
const MOST = 50;
const LONGEST = 5_000;

/** The recent results of this browser, the newest first. */
export const recent = {
  get isOn() { return kept.local.get(OFF) !== true; },
  set isOn(on) { on ? kept.local.remove(OFF) : kept.local.set(OFF, true); },
  list() {
    const found = kept.local.get(RECENT);
    return Array.isArray(found) ? found.filter((one) => typeof one?.text === "string") : [];
  },
  /** Add a result in front of the others. The same text replaces its older result. */
  add(result) {
    if (!this.isOn || result.text.length + (result.second ?? "").length > LONGEST) return;
    const same = (one) => one.text === result.text && one.second === result.second;
    this.write([result, ...this.list().filter((one) => !same(one))]);
  },
  /** Replace all results. If the space of the browser is full, the oldest are left out. */
  write(results) {
    let some = results.slice(0, MOST);
    while (!kept.local.set(RECENT, some) && some.length) some = some.slice(0, some.length >> 1);
  },
  clear() { kept.local.remove(RECENT); },
};

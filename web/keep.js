// What the browser keeps for the page: choices for good, the token for the tab.
//
// Always: a browser that keeps nothing, as people may tell it to, is no error: then it is known until the page is left.

function keeper(open) {
  const known = new Map();
  const attempt = (action) => {
    try {
      return action(open());
    } catch {
      return null;
    }
  };
  return {
    get: (name) => known.get(name) ?? attempt((storage) => storage.getItem(name)),
    set(name, value) {
      known.set(name, value);
      attempt((storage) => storage.setItem(name, value));
    },
    forget(name) {
      known.delete(name);
      attempt((storage) => storage.removeItem(name));
    },
  };
}

export const forGood = keeper(() => localStorage);
export const forTheTab = keeper(() => sessionStorage);

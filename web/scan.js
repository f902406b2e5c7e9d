// What was dropped, chosen or pasted, as files with the folder that each was in.

const FILES_AT_ONCE = 64;

// The files of a drop, folders walked. To be called within the event: afterwards its items are gone. Gives an async
// iterator of arrays of `{ file, folder }`; what cannot be read is told to `onUnreadable(path, words)`.
export function dropped(transfer, onUnreadable) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return walk(entries.filter((entry) => entry !== null), onUnreadable);
}

// Those of an input or of the clipboard.
export function chosen(files) {
  const found = [...files].map((file) => ({ file, folder: folderOf(file.webkitRelativePath) }));
  return found.sort((one, other) => names.compare(one.file.webkitRelativePath, other.file.webkitRelativePath));
}

// As people sort names: `note 2` before `note 10`. What is in a folder has no order that anybody would know.
const names = new Intl.Collator(undefined, { numeric: true });

const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

// Depth first. A folder's entries come some at a time, until none come; files are asked for many at once, for each costs a
// turn of the browser's.
async function* walk(entries, onUnreadable) {
  const waiting = entries.reverse();
  while (waiting.length > 0) {
    const files = [];
    while (files.length < FILES_AT_ONCE && waiting.length > 0 && !waiting.at(-1).isDirectory) files.push(waiting.pop());
    const found = await Promise.all(files.map((entry) => fileOf(entry).catch((error) => onUnreadable(pathOf(entry), unread(error)))));
    if (files.length > 0) yield found.filter(Boolean);
    if (!waiting.at(-1)?.isDirectory) continue;
    const folder = waiting.pop();
    try {
      const inside = await entriesOf(folder);
      while (inside.length > 0) waiting.push(inside.pop());
    } catch (error) {
      onUnreadable(pathOf(folder), unread(error));
    }
  }
}

const unread = (error) => `It cannot be read: ${error.message}`;
const pathOf = (entry) => (entry.fullPath ?? entry.name).replace(/^\//, "");

async function fileOf(entry) {
  if (entry instanceof File) return { file: entry, folder: "" };
  const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
  return { file, folder: folderOf(pathOf(entry)) };
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all.sort((one, other) => names.compare(one.name, other.name));
    all.push(...some);
  }
}

// What was dropped, chosen or pasted, as files with the folder that each was in.

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
  return [...files].map((file) => ({ file, folder: folderOf(file.webkitRelativePath) }));
}

const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

// Depth first. A folder's entries come some at a time, until none come.
async function* walk(entries, onUnreadable) {
  const waiting = entries.reverse();
  let found = [];
  while (waiting.length > 0) {
    const entry = waiting.pop();
    try {
      if (entry instanceof File) {
        found.push({ file: entry, folder: "" });
      } else if (entry.isFile) {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        found.push({ file, folder: folderOf(entry.fullPath).replace(/^\//, "") });
      } else {
        waiting.push(...(await entriesOf(entry)).reverse());
      }
    } catch (error) {
      onUnreadable(entry.fullPath.replace(/^\//, ""), `It cannot be read: ${error.message}`);
    }
    if (found.length >= 256) {
      yield found;
      found = [];
    }
  }
  yield found;
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

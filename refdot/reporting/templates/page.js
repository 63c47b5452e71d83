for (const button of document.querySelectorAll("[data-copies]")) {
  const label = button.firstElementChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copies).textContent;
    label.textContent = (await copy(text)) ? "Copied" : "Not copied:";
    button.focus();
    setTimeout(() => { label.textContent = "Copy"; }, 3000);
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page opened as a file may have no clipboard, or no permission to use it.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

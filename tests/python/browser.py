"""The reviewers' page in a real browser: every view without a violation of axe-core or of its own policy, at three widths, light and dark; by
the keyboard alone; without JavaScript; behind keys; and with markup wherever a file, a writer or a query can have it.

    python3 tests/python/browser.py target/release/pincite [--long] [--shots FOLDER]

Looks at each view once, at one width after the other; with `--long`, or where pictures are wanted, at all of them.

Needs Chromium of the system (`chromium` or PINCITE_TEST_BROWSER), and says `no browser` with exit code 3 where there is none.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
from urllib.parse import quote

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from served import Server

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures" / "workspace"
WIDTHS = [(1440, "light"), (800, "dark"), (320, "light")]
MARKUP = ['<script>window.hurt=1</script>', '"><img src=x onerror="window.hurt=1">', "'><svg/onload=window.hurt=1>", "{{7*7}}", "</textarea><b>x"]
DEADLINE_MS = 60_000
POSTMORTEM = "runs/2026-11-03-coder-03/postmortem.md"


def browser_of_system() -> str | None:
    named = os.environ.get("PINCITE_TEST_BROWSER")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Faults(list):
    def check(self, holds: bool, what: str):
        if not holds:
            self.append(what)


def lay_out(folder: pathlib.Path):
    """The fixtures, and files whose names and words are markup."""
    shutil.copytree(FIXTURES, folder)
    hostile = folder / "hostile"
    hostile.mkdir()
    for number, markup in enumerate(MARKUP):
        # No name holds a slash.
        (hostile / f"{number} {markup.replace('/', '-')}.md").write_text(f"# {markup}\n\nmarkup word {markup}\n\n| {markup} | b |\n|---|---|\n| {markup} | c |\n")
        (hostile / f"{number}.csv").write_text(f'name,"{markup.replace(chr(34), chr(34) * 2)}"\nmarkup,1\n')
        (hostile / f"{number}.txt").write_text(f"markup in plain text {markup}\n")
    (hostile / "right-to-left.md").write_text("# שלום עולם\n\nמים זורמים אל הים, gateway, مرحبا بالعالم\n")
    (hostile / ("long-" * 20 + "name-without-any-place-to-break.md")).write_text("w" * 5_000 + "\n")


def write_markup(server: Server):
    """Files whose writers are markup."""
    for number, markup in enumerate(MARKUP):
        headers = {"Pincite-Agent": markup, "Pincite-Run": f"run {markup}", "Pincite-Tags": markup.replace(",", ";")}
        status, reply = server.ask("PUT", server.files(f"hostile/by-{number}.md"), f"markup written by {number}".encode(), "text/markdown", headers)
        if status not in (200, 201):
            raise SystemExit(f"a write was refused: {reply}")
        body = json.dumps({"query": "markup", "min_revision": reply["revision"], "wait_ms": 30_000}).encode()
        server.ask("POST", "/v1/workspaces/default/search", body)


def edit(server: Server, folder: pathlib.Path):
    """Locks with markup and other scripts in what is said of them, one that is violated, an upload, and writes that meet others' writes."""
    locks = "/v1/workspaces/default/locks"
    # Longer than any run.
    for path, reason in [("hostile/right-to-left.md", "תיקון النص"), (POSTMORTEM, MARKUP[1]), ("報告書/南浜港の水位計の点検.md", "点検中です"),
                         ("long-" * 20 + "name-without-any-place-to-break.md", "w" * 200)]:
        status, lock = server.ask("POST", locks, json.dumps({"path": path, "reason": reason, "ttl_s": 3_600}).encode())
        if status != 201:
            raise SystemExit(f"a lock was refused: {lock}")
    for glob, reason in [("docs/**", MARKUP[0]), ("docs/*.md", "reading")]:
        server.ask("POST", locks, json.dumps({"glob": glob, "mode": "shared", "reason": reason, "ttl_s": 3_600}).encode())
    status, base = server.ask("PUT", server.files("hostile/merged.md"), b"# One\n\ntwo\n\nthree\n\nfour\n", "text/markdown", {"Pincite-Agent": "coder-03"})
    tag = {"if_match": f'{base["content_hash"]}'}
    theirs = {"path": "hostile/merged.md", "content": f"# One {MARKUP[0]}\n\ntwo\n\nthree\n\nfour\n", **tag}
    ours = {"path": "hostile/merged.md", "content": "# One\n\ntwo\n\nthree\n\nFOUR\n", **tag}
    for body in (theirs, ours, {**ours, "on_conflict": "merge"}):
        server.ask("POST", "/v1/workspaces/default/write", json.dumps(body).encode())
    (folder / "hostile" / "right-to-left.md").write_text("# שלום עולם\n\nchanged past the server\n")


def views() -> dict[str, str]:
    source = f"/w/default/source/{POSTMORTEM}?at=172-245"
    return {
        "start": "/w/default",
        "results": "/w/default?q=gateway+outage",
        "newest": "/w/default?q=gateway&sort=time",
        "narrowed": "/w/default?q=gateway&path=docs%2F**&after=2020-01-01",
        "opened": f"/w/default?q=gateway+outage&open={quote(POSTMORTEM, safe='')}&at=172-245",
        "answer": "/w/default?q=How+long+was+the+gateway+down+on+2+November%3F",
        "digest": "/w/default?q=Summarize+the+recent+outputs&ask=1",
        "nothing": "/w/default?q=qwyjibo&path=nowhere%2F**",
        "markdown": source,
        "table": "/w/default/source/data/stations.csv?at=200-260",
        "pdf": "/w/default/source/reports/ravensholm-acceptance.pdf?at=200-300",
        "code": "/w/default/source/src/sluice/ring.rs?at=300-420",
        "log": "/w/default/source/runs/2026-10-14-bench-03/bench.log",
        "picture": "/w/default/source/assets/wave-icon.png",
        "japanese": "/w/default?q=%E5%8D%97%E6%B5%9C%E6%B8%AF",
        "hostile": "/w/default?q=markup",
        "hostile files": "/w/default/files?folder=hostile/",
        "markup query": f"/w/default?q={quote(MARKUP[1])}&agent={quote(MARKUP[0])}",
        "activity": "/w/default/activity",
        "editing": "/w/default/editing",
        "locked": "/w/default/source/hostile/right-to-left.md",
        "files": "/w/default/files",
        "unread": "/w/default/files?state=unread",
        "status": "/w/default/status",
        "verdicts": "/w/default/verdicts",
        "check": "/w/default/check",
        "settings": "/w/default/settings",
        "unknown workspace": "/w/nowhere",
        "unknown file": "/w/default/source/no/such.md",
        "no citation": "/w/default/c/xyz/1-2",
    }


def watched(context, said: list[str]):
    """A page of which every error of the script and every violation of its policy is noted."""
    page = context.new_page()
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" and "status of 4" not in message.text else None)
    page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))")
    return page


def examine(page, name: str, width: int, faults: Faults, said: list[str], shots: pathlib.Path | None):
    """A view: axe-core, the page's own policy, errors of the script, and nothing that hangs over the edge."""
    if shots:
        page.screenshot(path=str(shots / f"{name.replace(' ', '-')}-{width}.png"))
    where = f"{name} at {width}"
    for violation in Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).response["violations"]:
        nodes = [node["html"][:160] for node in violation["nodes"][:3]]
        faults.append(f"{where}: axe {violation['id']}: {nodes}")
    faults.check(page.evaluate("window.hurt") is None, f"{where}: markup of a file ran")
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    faults.check(over <= 0, f"{where}: the page is {over} pixels wider than the window")
    faults.check(page.title() != "", f"{where}: no title")
    faults.extend(f"{where}: {words}" for words in said)
    said.clear()


def look_at(context, base: str, faults: Faults, width: int, names: list[str], shots: pathlib.Path | None) -> int:
    """Views by their URLs."""
    said: list[str] = []
    page = watched(context, said)
    paths = views()
    for name in names:
        page.goto(base + paths[name])
        if page.locator("[data-answer]").count():
            page.wait_for_selector('.answer[aria-busy="false"]', timeout=DEADLINE_MS)
        examine(page, name, width, faults, said, shots)
    page.close()
    return len(names)


def sign_in(page, secret: str):
    page.fill("#key", secret)
    page.press("#key", "Enter")


def made_on(page, name: str, scopes: list[str]) -> str:
    """The secret of a key that is made on the page, which shows it afterwards."""
    page.fill(".make [name=name]", name)
    for box in page.locator(".make [name=scope]").all():
        box.set_checked(box.get_attribute("value") in scopes)
    page.click("text=Make the key")
    return page.input_value("#secret")


def behind_keys(browser, base: str, faults: Faults, widths: list[tuple[int, str]], shots: pathlib.Path | None) -> int:
    """The first key is made, and shuts the page; from then on one signs in and out, without JavaScript as well; the views of keys."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + "/keys")
    secret = made_on(page, "first", ["admin"])
    page.goto(base + "/w/default/files?state=unread")
    faults.check("/sign-in?next=" in page.url, f"keys: the page is not shut: {page.url}")
    sign_in(page, secret[:-1])
    faults.check(page.locator("[role=alert]").count() == 1, "keys: a wrong key is not refused")
    sign_in(page, secret)
    faults.check(page.url == base + "/w/default/files?state=unread", f"keys: after signing in, {page.url}")
    page.click("text=Sign out")
    page.goto(base + "/w/default")
    faults.check("/sign-in" in page.url, "keys: signing out does not end the session")
    context.close()
    tries = 0
    for width, scheme in widths:
        said: list[str] = []
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(DEADLINE_MS)
        page = watched(context, said)

        def look(name):
            nonlocal tries
            tries += 1
            examine(page, name, width, faults, said, shots)

        page.goto(base + "/keys")
        look("sign in")
        sign_in(page, "pin_wrong")
        page.wait_for_selector("[role=alert]")
        look("wrong key")
        sign_in(page, secret)
        page.wait_for_selector(".make")
        look("keys")
        reader = made_on(page, f"reader {MARKUP[0]} {width}", ["files:read"])
        look("new key")
        page.click("text=This key")
        look("one key")
        page.click("text=Revoke …")
        look("revoke a key")
        page.goto(base + "/limits")
        look("limits")
        page.goto(base + "/audit")
        look("audit of all")
        page.goto(f"{base}/w/default/source/{POSTMORTEM}?at=172-245")
        page.click("text=Seen by")
        look("who has seen this")
        page.goto(base + "/w/default/audit?action=nothing")
        look("audit without entries")
        page.goto(base + "/w/default/webhooks")
        page.fill("[name=url]", f"https://203.0.113.7/hook/{width}")
        page.fill("[name=globs]", MARKUP[0])
        page.click("text=Make the webhook")
        page.wait_for_selector("[role=alert]")
        look("a webhook that cannot be")
        page.goto(base + "/w/default/webhooks")
        page.fill("[name=url]", f"http://127.0.0.1:9/hook/{width}")
        page.check("[name=event][value='file.ready']")
        page.click("text=Make the webhook")
        look("secret of a webhook")
        page.click("text=All webhooks")
        look("webhooks")
        page.click(f"text=127.0.0.1:9/hook/{width}")
        page.click("text=Send a test")
        page.wait_for_selector("#deliveries")
        faults.check("webhook.test" in page.locator("table").inner_text(), "webhook: the test is not listed")
        look("one webhook")
        page.click("text=Delete …")
        look("delete a webhook")
        page.goto(base + "/w/default/settings")
        look("hand over")
        page.click("text=Make the link")
        look("link to claim")
        link = page.input_value("#link")
        page.goto(link)
        look("claim")
        page.goto(base + "/w/default?q=gateway")
        page.wait_for_selector("#results")
        look("signed in")
        # The session is over while a page is open: a part of it leads to the form, and back.
        cookies = context.cookies()
        context.clear_cookies()
        page.click(".hit a.open >> nth=1")
        page.wait_for_selector("#key")
        faults.check("next=" in page.url, f"keys: {page.url} does not lead back")
        faults.check(all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies), f"keys: {cookies}")
        said.clear()
        sign_in(page, reader)
        page.goto(base + "/w/default/files")
        look("files of a reader")
        page.goto(base + "/w/default/check")
        look("not allowed")
        context.close()
    # Whoever follows the link of an offer owns the workspace, without JavaScript as well.
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    page.click("text=Claim the workspace")
    faults.check(page.input_value("#secret").startswith("pin_"), "claim: no key")
    page.click("text=Open the workspace")
    faults.check("Sign out" in page.locator(".bar").inner_text(), f"claim: the new owner is not signed in: {page.url}")
    context.close()
    return tries


def by_keyboard(context, base: str, faults: Faults):
    """Search, open, next mark, back: no key but the keyboard's, and the URL says each state."""
    page = context.new_page()
    page.goto(base + "/w/default")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type("gateway outage typ")
    page.wait_for_selector("#offered option[value='gateway outage type:']", state="attached")
    for _ in " typ":
        page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.wait_for_selector("#results")
    faults.check("q=gateway+outage" in page.url, f"keyboard: the URL has no query: {page.url}")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    faults.check(page.evaluate("document.activeElement.className") == "open", "keyboard: j does not focus a result")
    page.keyboard.press("Enter")
    page.wait_for_selector("#source mark.quote")
    opened = page.url
    faults.check("open=" in opened, f"keyboard: the URL does not say what is open: {opened}")
    faults.check(page.locator(".hit").count() > 1, "keyboard: the results are gone")
    page.keyboard.press("]")
    page.wait_for_selector("#source .found")
    faults.check("mark" in page.locator("#say").inner_text(), "keyboard: the mark is not announced")
    page.keyboard.press("?")
    faults.check(page.locator("#keys").is_visible(), "keyboard: no list of keys")
    page.keyboard.press("Escape")
    page.go_back()
    page.wait_for_selector("#source mark.quote", state="detached")
    faults.check("open=" not in page.url, "keyboard: back does not go back")
    page.reload()
    page.goto(opened)
    faults.check(page.locator("#source mark.quote").count() > 0, "keyboard: the URL does not bring the source back")
    more = page.locator("#more a")
    if more.count():
        before = page.locator("#results > li").count()
        more.click()
        page.wait_for_selector(f"#results > li >> nth={before}")
        numbers = page.evaluate("[...document.querySelectorAll('#results > li')].map((hit) => hit.id)")
        faults.check(len(set(numbers)) == len(numbers), "keyboard: results come twice")
    page.close()


def marks_are_exact(context, base: str, faults: Faults):
    """The marked words are the words at the span, for a text and for a table."""
    page = context.new_page()
    for path, span in [("src/sluice/ring.rs", (300, 420)), ("data/stations.csv", (200, 260)), ("runs/2026-10-14-bench-03/bench.log", (1_000, 1_100))]:
        page.goto(f"{base}/w/default/source/{path}?at={span[0]}-{span[1]}")
        shown = "".join(page.locator("#source mark.quote").all_text_contents())
        wanted = (FIXTURES / path).read_bytes()[span[0] : span[1]].decode()
        letters = lambda words: "".join(c for c in words if c.isalnum())
        faults.check(letters(shown) == letters(wanted) and shown != "", f"marks of {path}: {shown!r} for {wanted!r}")
    page.close()


def judged(context, base: str, faults: Faults):
    """A verdict by mouse and keyboard, and where it is shown."""
    page = context.new_page()
    page.goto(f"{base}/w/default/source/{POSTMORTEM}?at=172-245&q=gateway")
    page.click(".judge summary")
    page.fill(".judge [name=comment]", "well said <b>indeed</b>")
    page.fill(".judge [name=by]", "Ines Halvard")
    page.press(".judge [name=by]", "Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdicts .badge")
    faults.check("well said <b>indeed</b>" in page.locator(".verdicts").inner_text(), "verdict: it does not stand beside its quote")
    page.goto(f"{base}/w/default/verdicts")
    faults.check("accepted" in page.locator("table").inner_text(), "verdict: it is not listed")
    page.goto(f"{base}/w/default?q=gateway+outage")
    faults.check(page.locator(".hit .badge").count() > 0, "verdict: the passage does not show it")
    page.close()


def without_script(browser, base: str, faults: Faults):
    """Every function that matters, without JavaScript."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + "/w/default")
    page.fill("#q", "How long was the gateway down on 2 November?")
    page.press("#q", "Enter")
    page.click("text=Show the answer")
    faults.check("37 minutes" in page.locator(".answer").inner_text(), "without script: no answer")
    page.click(".cite >> nth=0")
    faults.check(page.locator(".badge").first.inner_text() == "valid", "without script: the citation is not valid")
    faults.check("37 minutes" in "".join(page.locator("mark.quote").all_text_contents()), "without script: the quote is not marked")
    page.goto(base + "/w/default/check")
    page.fill("#text", 'They say "The gateway accepted nothing for" and "the moon is made of cheese entirely".')
    page.click("text=Check these")
    found = page.locator(".checked .badge").all_inner_texts()
    faults.check(found == ["found", "not found"], f"without script: the check says {found}")
    page.goto(base + "/w/default?q=gateway")
    page.click(".hit a.open >> nth=0")
    faults.check(page.locator("#source mark.quote").count() > 0, "without script: a result does not open")
    context.close()


def live(browser, base: str, server: Server, faults: Faults):
    """Newer changes are announced, and that the server is gone; ends the server."""
    page = browser.new_page()
    page.set_default_timeout(DEADLINE_MS)
    page.goto(base + "/w/default/activity")
    server.ask("PUT", server.files("live.md"), b"# Live\n", "text/markdown")
    page.wait_for_selector("#fresh a")
    faults.check("Newer changes up to revision" in page.inner_text("#fresh"), "live: newer changes are not announced")
    server.kill()
    page.wait_for_function("document.querySelector('#fresh').textContent.includes('does not answer')")
    page.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--shots", type=pathlib.Path)
    asked = parser.parse_args()
    path = browser_of_system()
    if path is None:
        print("no browser: install Debian's `chromium`, or name one by PINCITE_TEST_BROWSER", file=sys.stderr)
        raise SystemExit(3)
    if asked.shots:
        asked.shots.mkdir(exist_ok=True)
    faults, tries = Faults(), 0
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = pathlib.Path(scratch) / "workspace"
        lay_out(folder)
        server = Server(asked.program, pathlib.Path(scratch) / "data", folder)
        try:
            while server.ask("GET", "/readyz")[0] != 200:
                pass
            write_markup(server)
            edit(server, folder)
            base = "http://{}:{}".format(*server.address)
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            by_keyboard(context, base, faults)
            marks_are_exact(context, base, faults)
            judged(context, base, faults)
            without_script(browser, base, faults)
            for number, (width, scheme) in enumerate(WIDTHS):
                names = list(views())
                names = names if asked.long or asked.shots else names[number :: len(WIDTHS)]
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                context.set_default_timeout(DEADLINE_MS)
                tries += look_at(context, base, faults, width, names, asked.shots)
                context.close()
            live(browser, base, server, faults)
            open_loopback = "[webhooks]\nallow_networks = ['127.0.0.0/8']\n"
            server = Server(asked.program, pathlib.Path(scratch) / "data", folder, config=open_loopback)
            base = "http://{}:{}".format(*server.address)
            tries += behind_keys(browser, base, faults, WIDTHS if asked.long or asked.shots else WIDTHS[2:], asked.shots)
            browser.close()
        finally:
            server.kill()
    print(json.dumps({"tries": tries, "faults": faults}, indent=1, ensure_ascii=False))
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()

"""What the browser's tests share: a headless Chromium with one page of vastrace open.

Ends with 77, a skip for ctest, where there is no Chromium, chromedriver or selenium.
"""
import shutil
import sys
import tempfile
import time

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    print("skipped: needs Debian's python3-selenium")
    sys.exit(77)

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions
    --disable-dev-shm-usage --hide-scrollbars""".split()


class Browser:
    """A browser of its own profile; `with` ends it."""

    def __init__(self, width=1280, height=800):
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if not chromium or not driver:
            print("skipped: needs Debian's chromium and chromium-driver")
            sys.exit(77)
        self.profile = tempfile.TemporaryDirectory(prefix="vastrace-browser.")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in FLAGS + ["--user-data-dir=" + self.profile.name]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(driver), options=options)
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    def resize(self, width, height):
        """The page's own size, without the window's frame."""
        self.driver.set_window_size(width, height)
        inner = self.run("return [innerWidth, innerHeight]")
        self.driver.set_window_size(2 * width - inner[0], 2 * height - inner[1])

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, what, seconds=300):
        """Until the JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.run("return Boolean(" + condition + ")"):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not after {seconds} s: {condition}")
            time.sleep(0.02)

    def open(self, path):
        """Load a page and wait until it is drawn."""
        self.driver.get("file://" + str(path))
        self.wait("document.readyState === 'complete' && (window.vastrace ? vastrace.loadTime && "
                  "!vastrace.frame : !document.body.classList.contains('loading') || "
                  "document.getElementById('loading-bar').hidden)", "the page is drawn", 120)

    def settle(self):
        """Until all that was asked for is drawn."""
        self.wait("!vastrace.frame", "a frame is drawn")

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE"]

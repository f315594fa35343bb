"""Training texts: pieces of 120 to 2,500 characters, from unpacked packages and from generators.

texts(work) -> list of Piece(lang, source, held, text). A fifth of the files (by a hash of their
names) is held out of every fit and only used to report errors. The same packages give the same
pieces. Recorded provider traffic is never read here: it is what the estimator is tested on.
"""
import base64
import collections
import glob
import gzip
import hashlib
import html
import html.parser
import json
import os
import random
import re
import uuid
import zipfile

Piece = collections.namedtuple("Piece", "lang source held text")
HELD_OF_256 = 51


class MarkdownOfHtml(html.parser.HTMLParser):
    """Renders a page the way a model writes: headings, lists, bold, code fences."""

    def __init__(self):
        super().__init__()
        self.out, self.hidden, self.pre = [], 0, 0

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "style", "head"):
            self.hidden += 1
        elif tag == "pre":
            self.pre += 1
            self.out.append("\n\n```\n")
        elif tag in ("p", "div", "table", "ul", "ol", "dl", "section"):
            self.out.append("\n\n")
        elif tag == "li":
            self.out.append("\n- ")
        elif tag in ("h1", "h2", "h3"):
            self.out.append("\n\n" + "#" * int(tag[1]) + " ")
        elif tag in ("br", "tr", "dt"):
            self.out.append("\n")
        else:
            self.mark(tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style", "head"):
            self.hidden = max(0, self.hidden - 1)
        elif tag == "pre":
            self.pre = max(0, self.pre - 1)
            self.out.append("\n```\n")
        else:
            self.mark(tag)

    def mark(self, tag):
        if tag in ("b", "strong"):
            self.out.append("**")
        elif tag in ("code", "tt") and not self.pre:
            self.out.append("`")

    def handle_data(self, data):
        if not self.hidden:
            self.out.append(data if self.pre else re.sub(r"\s+", " ", data))


def from_html(raw):
    parser = MarkdownOfHtml()
    parser.feed(raw.decode("utf8", "replace"))
    text = "".join(parser.out)
    if "```" not in text:
        text = re.sub(r" *\n *(?![ ])", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text)


def from_man(raw):
    lines = []
    for line in raw.decode("utf8", "replace").split("\n"):
        line = re.sub(r"^\.(SH|SS) +", "## ", line)
        line = re.sub(r"^\.(B|I|BR|IR|RB|RI|BI|IB|IP|TP|PP|Nm|Fl|Ar|It|Op)\b *", "", line)
        if line.startswith((".", "'\\\"")):
            continue
        line = re.sub(r"\\f[BIRP]|\\&|\\\(..|\\s[-+]?\d", "", line)
        lines.append(line.replace("\\-", "-").replace("\\e", "\\"))
    return "\n".join(lines)


def from_mallard(raw):
    text = re.sub(r"<info>.*?</info>", "", raw.decode("utf8"), flags=re.S)
    text = re.sub(r"<title>(.*?)</title>", r"\n## \1\n", text, flags=re.S)
    text = html.unescape(re.sub(r"<[^>]+>", "", text.replace("<item>", "\n- ")))
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<!\n)\n(?![\n#-])", " ", text))


def from_fortunes(raw):
    return raw.decode("utf8").replace("\n%\n", "\n\n")


def plain(raw):
    return raw.decode("utf8")


def as_json(**style):
    return lambda raw: json.dumps(json.loads(raw), ensure_ascii=False, **style)


class Corpus:
    def __init__(self, root):
        self.root, self.random, self.pieces = root + "/deb/", random.Random(7), []

    def files(self, *patterns):
        found = []
        for pattern in patterns:
            found += [f for f in glob.glob(self.root + pattern, recursive=True)
                      if os.path.isfile(f)]
        return sorted(found)

    def cut(self, text):
        at = 0
        while at < len(text):
            end = at + self.random.choice((300, 500, 800, 1200, 2000))
            if end < len(text):
                for mark in ("\n", " "):
                    better = text.rfind(mark, at + (end - at) // 2, end)
                    if better > 0:
                        end = better
                        break
            piece = text[at:end].strip("\n")
            if len(piece) > 120 and "\ufffd" not in piece:
                yield piece
            at = end

    def add(self, lang, source, name, text):
        digest = hashlib.sha256((source + name).encode()).digest()[0]
        self.pieces.append(Piece(lang, source, digest < HELD_OF_256, text))

    def take(self, lang, source, files, convert, characters, per_file=20000):
        """Adds pieces of the files, in random order, until there are this many characters."""
        self.random.shuffle(files)
        taken = 0
        for name in files:
            if taken > characters:
                return
            with (gzip.open if name.endswith(".gz") else open)(name, "rb") as f:
                raw = f.read()
            try:
                text = convert(raw)
            except ValueError:
                continue  # not UTF-8, or not JSON
            if len(text) > per_file:
                start = self.random.randrange(len(text) - per_file)
                text = text[start:start + per_file]
            for piece in self.cut(text):
                self.add(lang, source, os.path.basename(name), piece)
                taken += len(piece)

    # ------------------------------------------------------------------ languages

    def handbook(self, code):
        return self.files(f"debian-handbook/usr/share/doc/debian-handbook/html/{code}/*.html")

    def gnome(self, code):
        return self.files(f"gnome-user-docs/usr/share/help/{code}/**/*.page")

    def fortunes(self, package):
        return [f for f in self.files(f"{package}/usr/share/games/fortunes/**")
                if not f.endswith((".dat", ".u8"))]

    def english(self):
        self.take("en", "handbook", self.handbook("en-US"), from_html, 400000)
        self.take("en", "gnome", self.gnome("C"), from_mallard, 300000)
        self.take("en", "install", self.files("installation-guide-amd64/**/en/*.html"), from_html,
                  150000)
        self.take("en", "python", self.files("python3.11-doc/**/html/**/*.html"), from_html, 400000)
        self.take("en", "fortunes", self.fortunes("fortunes"), from_fortunes, 300000, 60000)
        self.take("en", "reference", self.files("debian-reference-en/**/*.html"), from_html, 150000)
        self.take("md", "rust", self.files("rust-src/**/*.md"), plain, 500000)
        self.take("md", "git", self.files("git-doc/**/*.txt"), plain, 200000)

    def chinese(self):
        self.take("zh", "handbook", self.handbook("zh-CN"), from_html, 400000)
        self.take("zh", "libreoffice", self.files("libreoffice-help-zh-cn/**/*.html"), from_html,
                  300000)
        self.take("zh", "reference", self.files("debian-reference-zh-cn/**/*.html"), from_html,
                  200000)
        self.take("zh", "install", self.files("installation-guide-amd64/**/zh_CN/*.html"),
                  from_html, 150000)
        self.take("zh", "man", self.files("manpages-zh/usr/share/man/zh_CN/**/*.gz"), from_man,
                  200000)
        self.take("zh", "gnome", self.gnome("zh_CN"), from_mallard, 200000)
        self.take("zh", "fortunes", self.fortunes("fortunes-zh"), from_fortunes, 400000, 60000)
        self.take("zh", "maint", self.files("maint-guide-zh-cn/**/*.html"), from_html, 100000)
        self.take("zhtw", "handbook", self.handbook("zh-TW"), from_html, 150000)
        self.take("zhtw", "reference", self.files("debian-reference-zh-tw/**/*.html"), from_html,
                  100000)

    def others(self):
        for code in ("de-DE fr-FR es-ES it-IT pt-BR ru-RU pl-PL cs-CZ tr-TR vi-VN el-GR ja-JP "
                     "ko-KR fa-IR ar-MA sv-SE nl-NL id-ID ro-RO da-DK nb-NO").split():
            self.take(code[:2], "handbook", self.handbook(code), from_html, 120000)
        for code in ("de fr es it pt_BR ru uk pl cs tr vi el ja ko fa he hi ta te hu fi ca sr kn mr "
                     "gu pa").split():
            self.take(code[:2], "gnome", self.gnome(code), from_mallard, 80000)
        for code in ("ko", "hi", "tr", "vi", "el"):
            self.take(code, "libreoffice", self.files(f"libreoffice-help-{code}/**/*.html"),
                      from_html, 80000)
        for code in ("de", "ru", "es", "it", "pl"):
            self.take(code, "fortunes", self.fortunes("fortunes-" + code), from_fortunes, 80000)
        self.take("ja", "man", self.files("manpages-ja/usr/share/man/ja/**/*.gz"), from_man, 80000)
        self.take("ja", "reference", self.files("debian-reference-ja/**/*.html"), from_html, 80000)

    def code(self):
        for source, patterns, characters in (
                ("go", ["golang-1.19-src/**/*.go"], 200000),
                ("python", ["libpython3.11-stdlib/**/*.py"], 200000),
                ("ansible", ["ansible-core/**/*.py"], 200000),
                ("c++", ["libstdc++-12-dev/usr/include/**"], 200000),
                ("c", ["libc6-dev/**/*.h", "postgresql-15/**/*.h"], 100000),
                ("rust", ["rust-src/**/*.rs"], 200000),
                ("typescript", ["node-typescript/**/*.d.ts"], 100000),
                ("javascript", ["node-undici/**/*.js"], 200000),
                ("shell", ["bash-completion/usr/share/bash-completion/**"], 100000),
                ("sql", ["postgresql-15/**/*.sql"], 100000),
                ("cmake", ["cmake-data/**/*.cmake"], 100000),
                ("css", ["**/*.css"], 50000),
                ("html", ["python3.11-doc/**/*.html", "debian-handbook/**/en-US/*.html"], 100000),
                ("yaml", ["ansible-core/**/*.yml"], 50000)):
            self.take("code", source, self.files(*patterns), plain, characters, 6000)
        self.java(200000)
        documents = self.files("iso-codes/**/*.json", "**/package.json", "**/*schema*.json")
        for source, style in (("indented", {"indent": 2}), ("compact", {"separators": (",", ":")}),
                              ("spaced", {})):
            self.take("json", source, list(documents), as_json(**style), 120000, 6000)

    def java(self, characters):
        archive = zipfile.ZipFile(self.files("openjdk-17-source/**/src.zip")[0])
        names = sorted(n for n in archive.namelist() if n.endswith(".java"))
        self.random.shuffle(names)
        taken = 0
        for name in names:
            text = archive.read(name).decode("utf8")
            text = text[3000:9000] if len(text) > 8000 else text
            for piece in self.cut(text):
                self.add("code", "java", os.path.basename(name), piece)
                taken += len(piece)
            if taken > characters:
                return

    # ------------------------------------------------------------------ what documents have little of

    def generate(self, kind, count, make):
        for i in range(count):
            self.add("made", kind, kind + str(i), make())

    def made(self):
        r = self.random
        words = ("great launch today thanks for the help see you soon happy with this party love it "
                 "done team ship new release").split()
        emoji = [chr(c) for a, b in ((0x1F300, 0x1F5FF), (0x1F600, 0x1F64F), (0x1F680, 0x1F6C5),
                                     (0x1F900, 0x1F9FF)) for c in range(a, b + 1)]
        ancient = (0x1D400, 0x1D434, 0x1D5A0, 0x10330, 0x12000)
        self.generate("base64", 60, lambda: base64.b64encode(r.randbytes(400)).decode())
        self.generate("hex", 60, lambda: r.randbytes(300).hex())
        self.generate("uuid", 60, lambda: "\n".join(
            str(uuid.UUID(int=r.getrandbits(128))) for _ in range(12)))
        self.generate("digits", 60, lambda: " ".join(
            str(r.randrange(10 ** r.randrange(1, 13))) for _ in range(80)))
        self.generate("csv", 60, lambda: "\n".join(
            f"{r.randrange(5000)},{r.random() * 1000:.2f},20{r.randrange(10, 30)}-"
            f"{r.randrange(1, 13):02d},{r.choice(['true', 'false', 'null'])}" for _ in range(25)))
        self.generate("emoji", 60, lambda: " ".join(
            r.choice(words) + (" " + r.choice(emoji) * r.choice((1, 1, 2, 3))
                               if r.random() < .4 else "") for _ in range(80)))
        self.generate("emoji only", 30, lambda: "".join(r.choice(emoji) for _ in range(120)))
        self.generate("table", 60, lambda: "\n".join(
            "| " + " | ".join(r.choice(words) + " " * r.randrange(9) for _ in range(4)) + " |"
            for _ in range(14)))
        self.generate("sums", 60, lambda: "\n".join(
            f"{a} {r.choice('*+×÷')} {b} = {a * b}" for a, b in
            ((r.randrange(1, 200), r.randrange(1, 99)) for _ in range(30))))
        self.generate("ancient", 30, lambda: " ".join(
            "".join(chr(r.choice(ancient) + r.randrange(26)) for _ in range(r.randrange(1, 9)))
            for _ in range(20)))
        self.generate("weather", 80, self.weather)
        prose = [p.text for p in self.pieces if p.source in ("gnome", "fortunes", "handbook")
                 and p.lang == "en"]
        for i in range(250):  # the quotes and dashes that models write, which documents lack
            text = re.sub(r'"([^"\n]*)"', "\u201c\\1\u201d", r.choice(prose)[:700])
            for a, b in (("'", "\u2019"), (" - ", "\u2014"), ("--", "\u2013"), ("...", "\u2026"),
                         ("\n- ", "\n\u2022 ")):
                text = text.replace(a, b)
            self.add("en", "typeset", str(i), text)

    def weather(self):
        r = self.random
        places = ("London Berlin Tokyo Madrid Chicago Seattle Boston Dublin Oslo Lima Cairo Delhi "
                  "Sydney Toronto Austin Denver").split()
        skies = "clear cloudy rainy windy foggy snowy mild humid cold hot".split()
        form = r.choice(("{p}: {t}°{u}, {s}", "{p} is {t} °{u} and {s}.",
                         "- **{p}**: {t}°{u}, {s} with wind of {w} km/h",
                         "Expect {s} skies in {p} at about {t}°{u} (feels like {w}°{u}).",
                         "{p} → {t} ± {w}° × 2 = €{w}, £{t}, §{w}"))
        return "\n".join(form.format(p=r.choice(places), t=r.randrange(-9, 99), u=r.choice("CF"),
                                     s=r.choice(skies), w=r.randrange(2, 60)) for _ in range(8))


def texts(work):
    corpus = Corpus(work)
    corpus.english()
    corpus.chinese()
    corpus.others()
    corpus.code()
    corpus.made()
    return corpus.pieces

"""Texts on which tokenizers do badly, for the ceiling only: random strings of every script, runs,
short patterns over and over, words reversed, code without blanks, escapes of escapes."""
import base64
import json
import random
import string

BLOCKS = [(0xA1, 0xFF), (0x100, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF),
          (0x400, 0x4FF), (0x500, 0x52F), (0x530, 0x58F), (0x5B0, 0x5EA), (0x600, 0x6FF),
          (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xC80, 0xCFF),
          (0xD00, 0xD7F), (0xD80, 0xDFF), (0xE01, 0xE5B), (0xE80, 0xEFF), (0xF00, 0xFFF),
          (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x1780, 0x17FF),
          (0x1800, 0x18AF), (0x1E00, 0x1EFF), (0x2010, 0x205E), (0x20A0, 0x20BF), (0x2190, 0x21FF),
          (0x2200, 0x22FF), (0x2500, 0x25FF), (0x2600, 0x27BF), (0x2800, 0x28FF), (0x3000, 0x303F),
          (0x3041, 0x3096), (0x30A1, 0x30FA), (0x3105, 0x312F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
          (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xFF01, 0xFF60), (0xFF61, 0xFF9F),
          (0x10000, 0x100FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF),
          (0xE0020, 0xE007F)]


class Hostile:
    def __init__(self, pieces):
        self.random, self.out = random.Random(11), []
        self.english = [p.text for p in pieces if p.lang in ("en", "md")]
        self.code = [p.text for p in pieces if p.lang in ("code", "json")]
        self.chinese = [p.text for p in pieces if p.lang == "zh"]

    def letters(self, count, alphabet=string.ascii_lowercase):
        return "".join(self.random.choice(alphabet) for _ in range(count))

    def block(self, span, count, blanks=0.0):
        return "".join(" " if self.random.random() < blanks else chr(self.random.randint(*span))
                       for _ in range(count))

    def add(self, count, make):
        self.out += [make() for _ in range(count)]

    def scripts(self):
        r = self.random
        for span in BLOCKS:
            self.add(8, lambda: self.block(span, 150))
            self.add(4, lambda: self.block(span, 150, .15))
            self.add(4, lambda: "".join(
                self.block(span, r.randint(1, 4)) + r.choice(["a", "The ", "1", ", ", "\n", "x=", '"'])
                for _ in range(60)))
        self.add(6, lambda: "".join("\u200d".join(
            chr(r.randint(0x1F466, 0x1F469)) + chr(r.randint(0x1F3FB, 0x1F3FF)) for _ in range(3))
            for _ in range(20)))
        self.add(4, lambda: self.block((0x1F1E6, 0x1F1FF), 100))
        self.add(6, lambda: "".join(self.letters(1) + self.block((0x300, 0x36F), r.randint(1, 6))
                                    for _ in range(50)))
        self.add(10, lambda: " ".join(r.choice(self.chinese)[:150]))
        self.add(10, lambda: "".join(c + r.choice(["", "a", "1", ","])
                                     for c in r.choice(self.chinese)[:150]))

    def random_ascii(self):
        r, ascii_letters, digits = self.random, string.ascii_letters, string.digits
        printable = string.printable
        for n in (1, 2, 3, 5, 8, 12, 30):
            self.add(12, lambda: " ".join(self.letters(n) for _ in range(max(4, 300 // (n + 1)))))
            self.add(6, lambda: " ".join(self.letters(n, string.ascii_uppercase)
                                         for _ in range(max(4, 300 // (n + 1)))))
        for count, alphabet in ((12, ascii_letters), (12, ascii_letters + digits),
                                (12, string.punctuation), (12, string.punctuation + "     "),
                                (12, ascii_letters + digits + string.punctuation + " "),
                                (12, printable), (12, " \t\n\r"), (6, digits), (6, digits + " "),
                                (6, digits + ".,-:/"), (6, " \t\n\u00a0\u3000\u2003\u200b\ufeff")):
            self.add(count, lambda: self.letters(300, alphabet))
        self.add(12, lambda: base64.b64encode(r.randbytes(300)).decode())
        self.add(6, lambda: r.randbytes(200).hex().upper())
        self.add(6, lambda: r.randbytes(200).hex())
        self.add(6, lambda: r.randbytes(120).hex(" "))
        self.add(12, lambda: r.randbytes(300).decode("latin1"))
        self.add(6, lambda: ("a" + " " * r.randint(1, 40)) * 20)
        self.add(12, lambda: "".join(self.letters(r.randint(1, 3)) + r.choice(
            [" ", "  ", "\n ", "\t", " \n", "\r\n", "\n\n  "]) for _ in range(90)))
        self.add(10, lambda: " ".join(self.letters(1, printable[:94]) for _ in range(150)))
        self.add(10, lambda: "".join(self.letters(1) + self.letters(1, digits + string.punctuation)
                                     for _ in range(150)))
        self.add(8, lambda: "".join(self.letters(1) + self.letters(1, string.ascii_uppercase)
                                    for _ in range(150)))

    def twisted(self):
        r = self.random

        def english(n):
            return r.choice(self.english)[:n]
        self.add(30, lambda: " ".join(w[::-1] for w in english(400).split()))
        self.add(20, lambda: " ".join("".join(r.sample(w, len(w))) for w in english(400).split()))
        self.add(30, lambda: english(500).upper())
        self.add(20, lambda: "".join(c.upper() if r.random() < .5 else c.lower()
                                     for c in english(400)))
        self.add(20, lambda: english(500).replace(" ", ""))
        self.add(20, lambda: english(500).title())
        self.add(15, lambda: "_".join(english(400).split()))
        self.add(15, lambda: "".join(w.capitalize() for w in english(400).split()))
        self.add(10, lambda: ".".join(english(400).split()))
        self.add(15, lambda: " ".join(english(200)))
        self.add(30, lambda: "".join(r.choice(self.code)[:600].split()))
        self.add(30, lambda: json.dumps(r.choice(self.code)[:400]))
        self.add(20, lambda: json.dumps(json.dumps(r.choice(self.code)[:300])))
        self.add(15, lambda: json.dumps(r.choice(self.chinese)[:120]))
        self.add(10, lambda: "https://" + self.letters(8) + ".com/" + "/".join(self.letters(
            r.randint(2, 9), string.ascii_letters + string.digits + "-_%") for _ in range(20)))


def texts(pieces):
    hostile = Hostile(pieces)
    hostile.scripts()
    hostile.random_ascii()
    hostile.twisted()
    return hostile.out


def patterns():
    """One and two ASCII characters over and over."""
    chars = [c for c in map(chr, range(32, 127)) if not c.isalnum() or c.islower() or c in "15AEQTZ"]
    return [c * 120 for c in map(chr, range(32, 127))] + [
        (a + b) * 40 for a in chars for b in chars if a != b]


def cheapest_patterns(price, count, rng):
    """Of many random patterns of 2 to 8 characters, those that `price` thinks cheapest a byte."""
    found = []
    for _ in range(60000):
        n = rng.choice((2, 3, 3, 4, 4, 5, 6, 8))
        alphabet = rng.choice((string.ascii_lowercase, string.ascii_lowercase + " ",
                               string.ascii_letters, string.ascii_lowercase + string.digits,
                               string.printable[:95]))
        pattern = "".join(rng.choice(alphabet) for _ in range(n))
        found.append((price(pattern * 4) / (4 * n), pattern))
    found.sort()
    return [p * (160 // len(p)) for _, p in found[:count]]

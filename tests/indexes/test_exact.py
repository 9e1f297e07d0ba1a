"""What only the exact engine promises; the rest is in test_contract.py and test_scan.py."""

import subprocess
import sys


def test_needs_no_torch():
    code = "import sys, fashion_lab.indexes.exact; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

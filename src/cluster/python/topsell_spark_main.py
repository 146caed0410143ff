"""The entry file for spark-submit: the package comes by --py-files, or is installed on all hosts."""

import sys

from topsell_spark.main import main

sys.exit(main())

// The table of one level's kernels.
#include "kernels.hpp"
#include "simd.hpp"

#define SC_TEXT_(a) #a
#define SC_TEXT(a) SC_TEXT_(a)

namespace sc::SC_LEVEL {

void philox_blocks(uint64_t key, const uint32_t* counters, uint32_t* out, size_t n);
void normal_samples(uint64_t key, uint64_t first_step, uint64_t steps, double* out, size_t n);
void encode(const Encode&, size_t first, size_t last);
void uniform(const Uniform&, size_t first, size_t last);
void lfsr(const Lfsr&, size_t first, size_t last);
void digital(const Digital&, size_t first, size_t last);
void additive(const Additive&, size_t first, size_t last);
void permutation(const Permutation&, size_t first, size_t last, uint64_t* scratch);
void channel_counts(const ChannelCounts&, size_t first, size_t last, uint64_t*);
void dot(const Dot&, size_t, size_t, size_t, size_t);
void lif(const LifPopulation&, size_t first, size_t last);
void dense(const DenseLayer&, size_t, size_t, size_t, size_t, uint64_t*);
void recurrent(const RecurrentLayer&, size_t first, size_t last, uint64_t*);
void deposit(const Deposit&, size_t first, size_t last);

extern const Kernels kKernels;
const Kernels kKernels{SC_TEXT(SC_LEVEL),
                       philox_blocks,
                       normal_samples,
                       encode,
                       uniform,
                       lfsr,
                       digital,
                       additive,
                       permutation,
                       channel_counts,
                       dot,
                       lif,
                       dense,
                       recurrent,
                       deposit};

}  // namespace sc::SC_LEVEL
